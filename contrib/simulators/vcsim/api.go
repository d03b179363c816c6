package main

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
)

// A vCenter's REST service has two dialects. The library has tags below /rest only; here they are below /api as well,
// as 7.0 and later have them: the same tags, asked for in the older dialect and answered in the newer one.
const (
	newerSession = "/api/session"
	newerTagging = "/api/cis/tagging/"
	olderSession = "/rest/com/vmware/cis/session"
	olderTagging = "/rest/com/vmware/cis/tagging/"
)

// isNewerDialect tells whether a request is one that serveNewerDialect answers.
func isNewerDialect(r *http.Request) bool {
	return r.URL.Path == newerSession || strings.HasPrefix(r.URL.Path, newerTagging)
}

func serveNewerDialect(w http.ResponseWriter, r *http.Request, older http.Handler) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	told := &keptAnswer{header: http.Header{}, status: http.StatusOK}
	older.ServeHTTP(told, inOlderDialect(r, body))
	told.header.Del("Content-Length")
	for name, values := range told.header {
		w.Header()[name] = values
	}
	status, answer := inNewerDialect(r, told)
	if answer != nil {
		w.Header().Set("Content-Type", "application/json")
	}
	w.WriteHeader(status)
	_, _ = w.Write(answer)
}

// inOlderDialect writes a request anew: arguments have names of their own there, and ids a mark.
func inOlderDialect(r *http.Request, body []byte) *http.Request {
	asked := r.Clone(r.Context())
	asked.URL.Path, asked.URL.RawPath, asked.URL.RawQuery = olderSession, "", ""
	if rest, isTagging := strings.CutPrefix(r.URL.Path, newerTagging); isTagging {
		part, id, _ := strings.Cut(rest, "/")
		action := r.URL.Query().Get("action")
		switch {
		case action == "list-tags-for-category":
			var wish struct {
				Category string `json:"category_id"`
			}
			_ = json.Unmarshal(body, &wish) // no category has no tags
			id = wish.Category
		case action != "":
		case r.Method == http.MethodPost:
			body = wrapped("create_spec", body)
		case r.Method == http.MethodPatch:
			body = wrapped("update_spec", body)
		}
		asked.URL.Path = olderTagging + part
		if id != "" {
			asked.URL.Path += "/id:" + id
		}
		if action != "" {
			asked.URL.RawQuery = url.Values{"~action": {action}}.Encode()
		}
	}
	asked.Body = io.NopCloser(bytes.NewReader(body))
	asked.ContentLength = int64(len(body))
	return asked
}

func wrapped(name string, body []byte) []byte {
	return []byte(`{"` + name + `": ` + string(body) + `}`)
}

// inNewerDialect takes an answer out of its object.
func inNewerDialect(r *http.Request, told *keptAnswer) (int, []byte) {
	var found struct {
		Value json.RawMessage `json:"value"`
		Type  string          `json:"type"`
	}
	isObject := json.Unmarshal(told.body.Bytes(), &found) == nil
	if told.status >= http.StatusMultipleChoices {
		kind := strings.ToUpper(found.Type[strings.LastIndex(found.Type, ".")+1:])
		if kind == "" {
			kind = strings.ToUpper(strings.ReplaceAll(http.StatusText(told.status), " ", "_"))
		}
		return told.status, []byte(`{"error_type": "` + kind + `", "messages": []}`)
	}
	switch {
	case !isObject:
		return http.StatusNoContent, nil
	case found.Value == nil || string(found.Value) == "null": // a list with nothing in it
		return told.status, []byte("[]")
	case r.Method == http.MethodPost && r.URL.RawQuery == "":
		return http.StatusCreated, found.Value
	}
	return told.status, found.Value
}

// keptAnswer keeps an answer instead of sending it.
type keptAnswer struct {
	header http.Header
	body   bytes.Buffer
	status int
}

func (a *keptAnswer) Header() http.Header            { return a.header }
func (a *keptAnswer) WriteHeader(status int)         { a.status = status }
func (a *keptAnswer) Write(data []byte) (int, error) { return a.body.Write(data) }
