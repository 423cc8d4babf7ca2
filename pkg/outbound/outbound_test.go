package outbound

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"tidemark/pkg/config/yamltree"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestWhatIsPublic(t *testing.T) {
	t.Parallel()
	for addr, want := range map[string]bool{
		"8.8.8.8": true, "2606:4700::1111": true, "127.0.0.1": false, "::1": false, "10.1.2.3": false, "172.16.0.1": false,
		"192.168.1.1": false, "169.254.169.254": false, "fe80::1": false, "fd00::1": false, "0.0.0.0": false, "::": false,
		"::ffff:127.0.0.1": false, "::ffff:10.0.0.1": false, "100.64.0.1": false, "224.0.0.1": false, "255.255.255.255": false,
		"64:ff9b::7f00:1": false, "2002:7f00:1::": false, "fe80::1%eth0": false, "198.18.0.1": false,
	} {
		if got := public(netip.MustParseAddr(addr)); got != want {
			t.Errorf("%s is public: %v, want %v", addr, got, want)
		}
	}
}

// parse makes one target of the keys of an endpoint.
func parse(t *testing.T, keys string) (*Target, error) {
	t.Helper()
	faults := &yamltree.Faults{Name: "endpoints.yaml"}
	d := &Decoder{
		Decoder: &yamltree.Decoder{Faults: faults},
		Getenv:  func(name string) string { return map[string]string{"HOOK": "https://hooks.example/T0/secret"}[name] },
		Builtin: func(string) (string, bool) { return "", false },
	}
	root := yamltree.Parse([]byte(keys), faults)
	fields, finish := d.Fields()
	d.Object(fields)(root, "")
	target := finish(root, "")
	t.Cleanup(target.Close)
	return target, faults.Err()
}

func TestFaultsOfTargets(t *testing.T) {
	t.Parallel()
	const good = "{url: 'https://a.example/x', unsigned: true}"
	for keys, want := range map[string]string{
		good: "", "{url: 'env:HOOK', unsigned: true}": "",
		"{unsigned: true}": "url: is missing",
		"{url: 'http://a.example/x', unsigned: true}":                            "use https",
		"{url: 'ftp://a.example', unsigned: true}":                               "is not https://host/path",
		"{url: 'https://a.example/x'}":                                           "secrets: is empty",
		"{url: 'https://a.example/x', secrets: [whsec_c2hvcnQ=]}":                "at least 24 bytes",
		"{url: 'https://a.example/x', secrets: ['env:NONE']}":                    "NONE is not set",
		"{url: 'https://a.example/x', secrets: ['file:/no/file']}":               "no such file",
		"{url: 'https://a.example/x', unsigned: true, method: GET}":              `"GET" is not one of`,
		"{url: 'https://a.example/x', unsigned: true, template: none}":           "neither the name of a template nor a file",
		"{url: 'https://a.example/x', unsigned: true, ok: 'bdy.x'}":              "unknown name bdy",
		"{url: 'https://a.example/x', unsigned: true, timeout: 1h}":              "is not between",
		"{url: 'https://a.example/x', unsigned: true, retries: 3}":               "unknown key",
		"{url: 'https://a.example/x', unsigned: true, secrets: ['env:HOOK']}":    "there are secrets",
		"{url: 'https://a.example/x', unsigned: true, headers: {A: 'env:NONE'}}": "headers.A",
	} {
		_, err := parse(t, keys)
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: got %v, want %q", keys, err, want)
		}
		if err != nil && strings.Contains(err.Error(), "T0/secret") {
			t.Errorf("%s: the fault shows the secret: %v", keys, err)
		}
	}
}

func TestAnswers(t *testing.T) {
	t.Parallel()
	end := make(chan struct{})
	mux := http.NewServeMux()
	status := func(path string, code int, header ...string) {
		mux.HandleFunc(path, func(w http.ResponseWriter, _ *http.Request) {
			for i := 0; i < len(header); i += 2 {
				w.Header().Set(header[i], header[i+1])
			}
			w.WriteHeader(code)
			_, _ = w.Write([]byte(`[{"success":false}]`))
		})
	}
	status("/fine", 200)
	status("/away", 302, "Location", "/fine")
	status("/gone", 410)
	status("/limited", 429, "Retry-After", "120")
	status("/date", 503, "Retry-After", time.Now().Add(time.Hour).UTC().Format(http.TimeFormat))
	status("/bad", 400)
	mux.HandleFunc("/late", func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-r.Context().Done():
		case <-end:
		}
	})
	mux.HandleFunc("/cut", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
	mux.HandleFunc("/endless", func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusOK)
		w.(http.Flusher).Flush()
		select {
		case <-r.Context().Done():
		case <-end:
		}
	})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	t.Cleanup(func() { close(end) })
	for path, want := range map[string]Result{
		"/fine": Delivered, "/away": Redirect, "/gone": Gone, "/limited": Limited, "/date": Failed, "/bad": Refused, "/late": Timeout,
		"/cut": Connection, "/endless": Delivered,
	} {
		target, err := parse(t, "{url: '"+server.URL+path+"', unsigned: true, allow_private: true, timeout: 300ms}")
		if err != nil {
			t.Fatal(err)
		}
		got := target.Send(t.Context(), Message{ID: "msg_1", Body: []byte("{}")})
		if got.Result != want {
			t.Errorf("%s is %+v, want %s", path, got, want)
		}
		if limited := path == "/limited"; limited != (got.RetryAfter == 2*time.Minute) {
			t.Errorf("%s: retry after %s", path, got.RetryAfter)
		}
		if path == "/date" && (got.RetryAfter < 59*time.Minute || got.RetryAfter > time.Hour) {
			t.Errorf("%s: retry after %s", path, got.RetryAfter)
		}
	}
	target, err := parse(t, "{url: '"+server.URL+"/fine', unsigned: true, allow_private: true, ok: 'all(body, .success)'}")
	if err != nil {
		t.Fatal(err)
	}
	if got := target.Send(t.Context(), Message{ID: "msg_1", Body: []byte("{}")}); got.Result != Rejected {
		t.Errorf("a refusal within a 200 is %+v", got)
	}
}

// The guard looks at the address that is dialled, whatever name or spelling led there.
func TestPrivateAddressesAreNotDialled(t *testing.T) {
	t.Parallel()
	reached := make(chan struct{}, 10)
	server := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached <- struct{}{} }))
	t.Cleanup(server.Close)
	_, port, err := net.SplitHostPort(server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	for _, host := range []string{"127.0.0.1", "localhost", "[::ffff:127.0.0.1]", "0.0.0.0"} {
		target, err := parse(t, "{url: 'https://"+host+":"+port+"/', unsigned: true}")
		if err != nil {
			t.Fatal(err)
		}
		got := target.Send(context.WithoutCancel(t.Context()), Message{ID: "msg_1", Body: []byte("{}")})
		if got.Result != Private || !errors.Is(got.Err, ErrPrivate) {
			t.Errorf("%s: %+v", host, got)
		}
	}
	if len(reached) > 0 {
		t.Error("the server was reached")
	}
}
