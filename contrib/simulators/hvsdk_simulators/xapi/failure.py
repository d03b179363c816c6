"""What a call that XAPI refuses ends with."""


class Failure(Exception):
    """An error of the product: a code and its parameters, all of them text."""

    def __init__(self, code: str, *params: str) -> None:
        super().__init__(code, *params)
        self.details: list[str] = [code, *map(str, params)]

    @property
    def code(self) -> str:
        """The first of the details."""
        return self.details[0]
