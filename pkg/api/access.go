package api

import (
	"crypto/sha256"
	"crypto/subtle"
	"net"
	"net/http"
	"net/netip"
	"strings"
)

// Access says who may use the API.
type Access struct {
	// Token must be shown as `Authorization: Bearer …`; empty: nobody is asked.
	Token string
	// Local is whether the server listens on a loopback address only. Without a token
	// nothing can be changed from elsewhere.
	Local bool
}

// guard lets through to next who may use it. A page that a browser shows is no user: it
// could otherwise act on the servers of whoever looks at it.
func (a Access) guard(next http.Handler) http.Handler {
	sites := http.NewCrossOriginProtection()
	want := sha256.Sum256([]byte(a.Token))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := sites.Check(r); err != nil {
			writeProblem(w, http.StatusForbidden, "requests from pages of other sites are refused")
			return
		}
		if a.Token != "" {
			shown, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
			if got := sha256.Sum256([]byte(shown)); !ok || subtle.ConstantTimeCompare(got[:], want[:]) != 1 {
				w.Header().Set("WWW-Authenticate", "Bearer")
				writeProblem(w, http.StatusUnauthorized, "show the token of http.token: Authorization: Bearer …")
				return
			}
			next.ServeHTTP(w, r)
			return
		}
		if a.Local && !local(r.Host) { // a name of somebody else's that leads here
			writeProblem(w, http.StatusForbidden, "without http.token the host must be localhost or a loopback address")
			return
		}
		if !a.Local && r.Method != http.MethodGet && r.Method != http.MethodHead {
			writeProblem(w, http.StatusForbidden, "nothing can be changed here without http.token, as http.addr is not a loopback address: set it, or use tidemark mqas")
			return
		}
		next.ServeHTTP(w, r)
	})
}

// Loopback reports whether an address host:port is one that only this machine reaches.
func Loopback(addr string) bool { return local(addr) }

func local(hostPort string) bool {
	host := hostPort
	if h, _, err := net.SplitHostPort(hostPort); err == nil {
		host = h
	}
	if strings.EqualFold(host, "localhost") {
		return true
	}
	at, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return err == nil && at.Unmap().IsLoopback()
}
