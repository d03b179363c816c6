"""Tags as vCenter keeps them: read in bulk, given and taken through its REST service."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Collection, Iterable, Mapping, Sequence

import attrs
from hvsdk.driver import Deadline, errors

from hvsdk_vmware._calls import FAILURES
from hvsdk_vmware._rest import Rest, messages_of

__all__ = ["CATEGORY", "VcenterTags"]

CATEGORY = "hvsdk"
"""The category that hvsdk makes, and whose tags are shown without it."""
_REMEMBERED_SECONDS = 300.0
"""How long names of tags and categories are kept: vCenter tells the name of one tag at a time."""
_KIND = "VirtualMachine"
_AT_ONCE = 1000
"""Domains that one call asks for."""
_ASSIGN = "Assign or Unassign vSphere Tag (InventoryService.Tagging.AttachTag)"
_CREATE = "Create vSphere Tag (InventoryService.Tagging.CreateTag)"
_CREATE_CATEGORY = "Create vSphere Tag Category (InventoryService.Tagging.CreateCategory)"


@attrs.frozen
class _Tag:
    id: str
    name: str
    category: str
    """Its id."""


@attrs.define
class _Names:
    """What is known of tags and categories, for a while."""

    tags: dict[str, _Tag] = attrs.field(factory=dict)
    categories: dict[str, str] = attrs.field(factory=dict)
    """Names by id."""
    since: float = attrs.field(factory=time.monotonic)

    def shown(self, tag: str) -> str | None:
        """Return a tag as it is shown; `None` for one that this user must not see."""
        one = self.tags.get(tag)
        category = self.categories.get(one.category) if one is not None else None
        if one is None or category is None:
            return None
        return one.name if category == CATEGORY else f"{category}:{one.name}"


class VcenterTags:
    """The tags of one vCenter.

    Args:
        rest: The service, which is closed by whoever made it.
        seconds: Time for a call that takes back what failed half-way.
        detach_others: Whether tags of other categories are taken away, too.
    """

    def __init__(self, rest: Rest, seconds: float, *, detach_others: bool) -> None:
        self.rest = rest
        self._seconds = seconds
        self._detach_others = detach_others
        self._known = _Names()

    def of(self, domains: Sequence[str], deadline: Deadline) -> dict[str, frozenset[str]]:
        """Return the tags of these domains as they are shown, by the domain's id.

        One call for a thousand domains, and one for each tag and category whose name is not known.
        """
        attached = self._attached_to(domains, deadline)
        names = self._names_of({tag for tags in attached.values() for tag in tags}, deadline)
        return {one: _shown(names, tags) for one, tags in attached.items() if tags}

    def give(self, domain: str, tags: Collection[str], deadline: Deadline) -> None:
        """Give a domain these tags; those that it has of other categories stay, unless `detach_others` says otherwise.

        Raises:
            PermissionDeniedError: With the privilege that the user lacks.
        """
        before = self._attached_to([domain], deadline).get(domain, [])
        names = self._names_of(before, deadline)
        known = {shown: tag for tag in before if (shown := names.shown(tag)) is not None}
        wanted = [self._tag_for(tag, deadline) for tag in sorted(tags) if tag not in known]
        attach = [tag for tag in wanted if tag not in before]
        detach = [tag for shown, tag in known.items() if shown not in tags and self._may_detach(names, tag)]
        try:
            self._change("attach-multiple-tags-to-object", domain, attach, deadline)
            self._change("detach-multiple-tags-from-object", domain, detach, deadline)
        except BaseException:
            self._take_back(domain, attach, detach)
            raise

    # ---- inside ------------------------------------------------------------------------------------------

    def _attached_to(self, domains: Sequence[str], deadline: Deadline) -> dict[str, list[str]]:
        """Return the ids of the tags of these domains."""
        found: dict[str, list[str]] = {}
        for start in range(0, len(domains), _AT_ONCE):
            objects = [_object(one) for one in domains[start : start + _AT_ONCE]]
            told = self.rest.post(
                "tag-association",
                action="list-attached-tags-on-objects",
                body={"object_ids": objects},
                deadline=deadline,
            )
            for entry in told if isinstance(told, list) else ():
                match entry:
                    case {"object_id": {"id": str(one)}, "tag_ids": [*tags]}:
                        found[one] = [tag for tag in tags if isinstance(tag, str)]
        return found

    def _names_of(self, tags: Iterable[str], deadline: Deadline) -> _Names:
        """Return names, those of these tags and their categories among them."""
        if time.monotonic() - self._known.since > _REMEMBERED_SECONDS:
            self._known = _Names()
        names = self._known
        for tag in tags:
            if tag not in names.tags:
                match self._member("tag", tag, deadline):
                    case {"name": str(name), "category_id": str(category)}:
                        names.tags[tag] = _Tag(tag, name, category)
                    case _:
                        continue
            self._learn_category(names, names.tags[tag].category, deadline)
        return names

    def _learn_category(self, names: _Names, category: str, deadline: Deadline) -> None:
        if category not in names.categories:
            match self._member("category", category, deadline):
                case {"name": str(name)}:
                    names.categories[category] = name

    def _member(self, part: str, key: str, deadline: Deadline) -> object:
        """Return a tag or a category; `None` for one that is gone, or is not for this user to see."""
        try:
            return self.rest.get(part, key, deadline=deadline)
        except (errors.NotFoundError, errors.PermissionDeniedError):
            return None

    def _categories(self, deadline: Deadline) -> Mapping[str, str]:
        """Return the names of all categories by id."""
        told = self.rest.get("category", deadline=deadline)
        there = [one for one in told if isinstance(one, str)] if isinstance(told, list) else []
        names = self._names_of((), deadline)
        for category in there:
            self._learn_category(names, category, deadline)
        return {key: names.categories[key] for key in there if key in names.categories}

    def _tags_in(self, category: str, deadline: Deadline) -> dict[str, str]:
        """Return the ids of a category's tags by name."""
        told = self.rest.tags_of_category(category, deadline=deadline)
        names = self._names_of(told, deadline)
        return {names.tags[tag].name: tag for tag in told if tag in names.tags}

    def _tag_for(self, shown: str, deadline: Deadline) -> str:
        """Return the id of a tag that is written as it is shown; one of hvsdk's category is made where there is none."""
        categories = self._categories(deadline)
        for key, name in categories.items():
            if name != CATEGORY and shown.startswith(f"{name}:"):
                tag = self._tags_in(key, deadline).get(shown[len(name) + 1 :])
                if tag is not None:
                    return tag
        ours = next((key for key, name in categories.items() if name == CATEGORY), None)
        if ours is None:
            ours = self._make_category(deadline)
        return self._tags_in(ours, deadline).get(shown) or self._make_tag(shown, ours, deadline)

    def _make_category(self, deadline: Deadline) -> str:
        spec = {
            "name": CATEGORY,
            "description": "Tags that were given through hvsdk",
            "cardinality": "MULTIPLE",
            "associable_types": [_KIND],
        }
        hint = f"or an administrator makes the category {CATEGORY!r} once: for virtual machines, many tags per object"
        try:
            return self._made("category", spec, _CREATE_CATEGORY, hint, deadline)
        except errors.AlreadyExistsError:  # somebody else was faster
            for key, name in self._categories(deadline).items():
                if name == CATEGORY:
                    return key
            raise

    def _make_tag(self, name: str, category: str, deadline: Deadline) -> str:
        """Make a tag. It stays when nobody has it any more: somebody else may be about to use it."""
        spec = {"name": name, "description": "", "category_id": category}
        try:
            return self._made("tag", spec, _CREATE, None, deadline)
        except errors.AlreadyExistsError:
            tag = self._tags_in(category, deadline).get(name)
            if tag is None:
                raise
            return tag

    def _made(self, part: str, spec: Mapping[str, object], privilege: str, hint: str | None, deadline: Deadline) -> str:
        try:
            return self.rest.create(part, spec, deadline=deadline)
        except errors.PermissionDeniedError as exc:
            raise _lacking(privilege, f"make the {part} {spec['name']!r}", hint) from exc

    def _may_detach(self, names: _Names, tag: str) -> bool:
        ours = names.categories.get(names.tags[tag].category) == CATEGORY
        return ours or self._detach_others

    def _change(self, action: str, domain: str, tags: Sequence[str], deadline: Deadline) -> None:
        if not tags:
            return
        body = {"object_id": _object(domain), "tag_ids": list(tags)}
        try:
            told = self.rest.post("tag-association", action=action, body=body, deadline=deadline)
        except errors.PermissionDeniedError as exc:
            raise _lacking(_ASSIGN, "give or take tags") from exc
        if isinstance(told, dict) and told.get("success") is False:
            words = messages_of(told.get("error_messages")) or "without a reason"
            raise errors.OperationFailedError(
                f"vCenter did not change all tags: {words}", hint=f"it needs the privilege {_ASSIGN} on each of them"
            )

    def _take_back(self, domain: str, attached: Sequence[str], detached: Sequence[str]) -> None:
        with contextlib.suppress(*FAILURES):
            self._change("detach-multiple-tags-from-object", domain, attached, Deadline(self._seconds))
            self._change("attach-multiple-tags-to-object", domain, detached, Deadline(self._seconds))


def _object(domain: str) -> dict[str, str]:
    return {"id": domain, "type": _KIND}


def _shown(names: _Names, tags: Iterable[str]) -> frozenset[str]:
    return frozenset(shown for tag in tags if (shown := names.shown(tag)) is not None)


def _lacking(privilege: str, what: str, hint: str | None = None) -> errors.PermissionDeniedError:
    return errors.PermissionDeniedError(
        f"vCenter does not let this user {what}: that takes the privilege {privilege}", hint=hint
    )
