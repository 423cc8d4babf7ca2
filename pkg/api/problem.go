package api

import (
	"bytes"
	"encoding/json"
	"net/http"
)

// Problem is what went wrong, as RFC 9457 has it. Its type is about:blank: the title
// is the status in words, the detail says what to do.
type Problem struct {
	Type   string `json:"type"`
	Title  string `json:"title"`
	Status int    `json:"status"`
	Detail string `json:"detail"`
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
