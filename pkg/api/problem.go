package api

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"time"
)

// Problem is what went wrong, as RFC 9457 has it. Its type is about:blank: the title
// is the status in words, the detail says what to do.
type Problem struct {
	Type   string `json:"type"`
	Title  string `json:"title"`
	Status int    `json:"status"`
	Detail string `json:"detail"`
}

// requestTimeout bounds a request that waits for the store.
const requestTimeout = 10 * time.Second

// answer asks and writes what was found; fault is what is wrong with the request, and fail
// says what went wrong with the asking.
func answer(w http.ResponseWriter, r *http.Request, fault error, fail func(http.ResponseWriter, error), ask func(context.Context) (any, error)) {
	if fault != nil {
		writeProblem(w, http.StatusBadRequest, fault.Error())
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), requestTimeout)
	defer cancel()
	found, err := ask(ctx)
	if err != nil {
		fail(w, err)
		return
	}
	writeJSON(w, found)
}

func writeProblem(w http.ResponseWriter, status int, detail string) {
	writeAs(w, "application/problem+json", status, Problem{"about:blank", http.StatusText(status), status, detail})
}

func writeJSON(w http.ResponseWriter, value any) {
	writeAs(w, "application/json", http.StatusOK, value)
}

func writeAs(w http.ResponseWriter, contentType string, status int, value any) {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", contentType)
	w.WriteHeader(status)
	_, _ = w.Write(b.Bytes()) // whoever asked may be gone
}
