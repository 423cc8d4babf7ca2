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
	methods := ""
	for _, r := range routes {
		mux.HandleFunc(r.Method+" "+r.Path, r.handle)
		if !strings.Contains(methods, r.Method) {
			methods += ", " + r.Method
		}
	}
	methods = methods[2:]
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodHead || slices.ContainsFunc(routes, func(has Route) bool { return has.Method == r.Method }) {
			writeProblem(w, http.StatusNotFound, there(routes))
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

// Nowhere answers what no room does: with all the routes that there are. Until those are
// the whole of them, a service is starting.
func Nowhere(routes func() (all []Route, whole bool)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		all, whole := routes()
		if !whole {
			w.Header().Set("Retry-After", "1")
			writeProblem(w, http.StatusServiceUnavailable, "the instance is starting; try again")
			return
		}
		writeProblem(w, http.StatusNotFound, there(all))
	})
}

func there(routes []Route) string {
	ways := make([]string, len(routes))
	for i, r := range routes {
		ways[i] = r.Method + " " + r.Path
	}
	return "there is " + strings.Join(ways, ", ")
}
