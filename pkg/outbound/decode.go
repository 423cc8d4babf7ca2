package outbound

import (
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"tidemark/pkg/config/yamltree"
	"tidemark/pkg/modelfile"
	"tidemark/scoring"
)

// Decoder reads targets from a YAML file.
type Decoder struct {
	*yamltree.Decoder
	Dir    string              // of the file: paths of templates are relative to it
	Getenv func(string) string // nil: the process's environment
	// Builtin are the templates that have names.
	Builtin func(name string) (text string, ok bool)
}

// draft is a target as the file has it.
type draft struct {
	url, method, template, ok string
	headers                   map[string]string
	secrets                   []string
	unsigned, allowPrivate    bool
	timeout                   time.Duration
}

// Fields are the keys of a target, to be put beside others of its map; finish, called
// once those are read, makes the target.
func (d *Decoder) Fields() (fields yamltree.Fields, finish func(n *yamltree.Node, path string) *Target) {
	t := &draft{headers: map[string]string{}, timeout: DefaultTimeout, method: http.MethodPost}
	headers := d.Entries(func(key string, n *yamltree.Node, path string) {
		var value string
		d.secret(&value)(n, path)
		t.headers[key] = value
	})
	fields = yamltree.Fields{
		{Key: "url", Use: d.secret(&t.url)},
		{Key: "method", Use: d.Text(&t.method)},
		{Key: "headers", Use: headers},
		{Key: "secrets", Use: yamltree.ListOf(d.Decoder, &t.secrets, d.secret)},
		{Key: "unsigned", Use: d.Bool(&t.unsigned)},
		{Key: "template", Use: d.Text(&t.template)},
		{Key: "ok", Use: d.Text(&t.ok)},
		{Key: "timeout", Use: d.Duration(&t.timeout, 100*time.Millisecond, 5*time.Minute)},
		{Key: "allow_private", Use: d.Bool(&t.allowPrivate)},
	}
	return fields, func(n *yamltree.Node, path string) *Target { return d.finish(t, n, path) }
}

// Duration is a duration within bounds.
func (d *Decoder) Duration(to *time.Duration, least, most time.Duration) yamltree.Field {
	return func(n *yamltree.Node, path string) {
		ms, err := yamltree.ParseDuration(n.Raw)
		given := time.Duration(ms) * time.Millisecond
		switch {
		case err != nil:
			d.Faults.Add(n.Position, path, "%s %s", n.Brief(), err)
		case given < least || given > most:
			d.Faults.Add(n.Position, path, "%s is not between %s and %s", n.Raw, yamltree.FormatDuration(least.Milliseconds()), yamltree.FormatDuration(most.Milliseconds()))
		default:
			*to = given
		}
	}
}

// secret is a text that may be elsewhere. Its faults do not repeat it.
func (d *Decoder) secret(to *string) yamltree.Field {
	getenv := d.Getenv
	if getenv == nil {
		getenv = os.Getenv
	}
	return func(n *yamltree.Node, path string) {
		if n.Kind != yamltree.Text {
			d.Faults.Add(n.Position, path, "the value is %s, not text: put it in quotes", n.Kind)
			return
		}
		value, err := reveal(n.Raw, getenv)
		if err != nil {
			d.Faults.Add(n.Position, path, "%s", err)
		}
		*to = value
	}
}

var methods = []string{http.MethodPost, http.MethodPut, http.MethodPatch}

func (d *Decoder) finish(t *draft, n *yamltree.Node, path string) *Target {
	fault := func(key, format string, args ...any) {
		at := n.Position
		if given := n.Get(key); given != nil {
			at = given.Position
		}
		d.Faults.Add(at, yamltree.Join(path, key), format, args...)
	}
	out := &Target{url: t.url, method: t.method, headers: http.Header{}, timeout: t.timeout, client: newClient(t.allowPrivate)}
	for key, value := range t.headers {
		out.headers.Set(key, value)
	}
	if !slices.Contains(methods, t.method) {
		fault("method", "%q is not one of %s", t.method, strings.Join(methods, ", "))
	}
	// The address may be a secret: faults do not repeat it.
	switch u, err := url.Parse(t.url); {
	case n.Get("url") == nil:
		fault("url", "is missing")
	case err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http":
		fault("url", "is not https://host/path")
	case u.Scheme == "http" && !t.allowPrivate:
		fault("url", "is http and would show what is sent to everybody on its way: use https, or set allow_private within your own network")
	}
	for i, secret := range t.secrets {
		s, err := newSigner(secret)
		if err != nil {
			fault("secrets", "number %d: %s", i+1, err)
		}
		out.signers = append(out.signers, s)
	}
	switch {
	case len(t.secrets) == 0 && !t.unsigned:
		fault("secrets", "is empty: give at least one, or set unsigned: true where the receiver checks no signature")
	case len(t.secrets) > 0 && t.unsigned:
		fault("unsigned", "is true, but there are secrets: remove one of them")
	}
	if t.template != "" {
		out.Template = d.template(t.template, fault)
	}
	if t.ok != "" {
		out.ok = d.condition(t.ok, fault)
	}
	return out
}

func (d *Decoder) condition(source string, fault func(key, format string, args ...any)) func(map[string]any) scoring.Truth {
	holds, err := modelfile.Named(source, answerNames...)
	if err != nil {
		fault("ok", "%s", err)
	}
	return holds
}

func (d *Decoder) template(name string, fault func(key, format string, args ...any)) *Template {
	text, builtin := d.Builtin(name)
	if !builtin {
		path := name
		if !filepath.IsAbs(path) {
			path = filepath.Join(d.Dir, path)
		}
		data, err := os.ReadFile(path)
		if err != nil {
			fault("template", "%s", fmt.Errorf("%q is neither the name of a template nor a file: %w", name, bare(err)))
			return nil
		}
		text = string(data)
	}
	t, err := ParseTemplate(filepath.Base(name), text)
	if err != nil {
		fault("template", "%s", err)
	}
	return t
}
