package api

import (
	"net/http"
	"slices"
	"strings"
)

// Route is a method and a path that the API answers. Paths are written as OpenAPI does,
// which is how http.ServeMux does.
type Route struct {
	Method, Path string
	handle       http.HandlerFunc
}

// Room is a part of the API: all that is below one path.
type Room struct {
	path    string
	routes  []Route
	handler http.Handler
}

// newRoom makes a room that lets in whom access lets in.
func newRoom(path string, access Access, routes ...Route) *Room {
	mux := http.NewServeMux()
	ways, methods := "", ""
	for _, r := range routes {
		mux.HandleFunc(r.Method+" "+r.Path, r.handle)
		ways += ", " + r.Method + " " + r.Path
		if !strings.Contains(methods, r.Method) {
			methods += ", " + r.Method
		}
	}
	ways, methods = ways[2:], methods[2:]
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodHead || slices.ContainsFunc(routes, func(has Route) bool { return has.Method == r.Method }) {
			writeProblem(w, http.StatusNotFound, "there is "+ways)
			return
		}
		w.Header().Set("Allow", methods)
		writeProblem(w, http.StatusMethodNotAllowed, "use "+strings.ReplaceAll(methods, ", ", " or "))
	})
	return &Room{path, routes, access.guard(mux)}
}

// Path is below which the room is served, itself too.
func (r *Room) Path() string { return r.path }

// Routes are what the room answers. What else is asked below its path is a problem.
func (r *Room) Routes() []Route { return slices.Clone(r.routes) }

// ServeHTTP implements http.Handler.
func (r *Room) ServeHTTP(w http.ResponseWriter, q *http.Request) { r.handler.ServeHTTP(w, q) }
