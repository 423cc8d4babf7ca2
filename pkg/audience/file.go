package audience

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"time"

	"tidemark/configs"
	"tidemark/pkg/config/yamltree"
	"tidemark/pkg/modelfile"
	"tidemark/pkg/outbound"
	"tidemark/scoring"
)

// Endpoint is who is told of an audience over HTTP.
type Endpoint struct {
	target *outbound.Target
	// Identity tells this endpoint from another one: who was told nothing is told everything.
	Identity string
	Batch    int           // the most accounts of a call
	Every    time.Duration // the least time between two calls
}

// The limits where a file says nothing.
const (
	defaultBatch = 1000
	defaultEvery = time.Second
)

// Load reads a file of audiences.
func Load(path string) ([]*Audience, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("audiences.file: %w", err)
	}
	return Parse(path, data, nil)
}

// Parse reads a file of audiences; getenv nil is the process's environment. The error
// lists every fault with its line.
func Parse(name string, data []byte, getenv func(string) string) ([]*Audience, error) {
	faults := &yamltree.Faults{Name: name}
	var out []*Audience
	if root := yamltree.Parse(data, faults); root != nil {
		d := &decoder{outbound.Decoder{
			Decoder: &yamltree.Decoder{Faults: faults}, Dir: filepath.Dir(name), Getenv: getenv, Builtin: configs.AudienceTemplate,
		}}
		d.Require(d.Object(yamltree.Fields{{Key: "audiences", Use: yamltree.ListOf(d.Decoder.Decoder, &out, d.audience)}}), "audiences")(root, "")
		d.unique(out, root)
	}
	return out, faults.Err()
}

type decoder struct{ outbound.Decoder }

var (
	audienceName = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,62}$`)
	topicName    = regexp.MustCompile(`^[a-zA-Z0-9._-]{0,249}$`)
)

func (d *decoder) audience(to **Audience) yamltree.Field {
	a := &Audience{}
	*to = a
	var where, except string
	object := d.Require(d.Object(yamltree.Fields{
		{Key: "name", Use: d.Text(&a.Name)},
		{Key: "where", Use: d.Text(&where)},
		{Key: "except", Use: d.Text(&except)},
		{Key: "min_dwell", Use: d.Duration(&a.MinDwell, 0, 400*24*time.Hour)},
		{Key: "topic", Use: d.Text(&a.Topic)},
		{Key: "http", Use: yamltree.Optional(&a.Endpoint, d.endpoint)},
	}), "name", "where")
	return func(n *yamltree.Node, path string) {
		object(n, path)
		if !audienceName.MatchString(a.Name) {
			d.fault(n, path, "name", "%q is not 1 to 63 lower-case letters, digits and dashes", a.Name)
		}
		if !topicName.MatchString(a.Topic) {
			d.fault(n, path, "topic", "%q is not a topic's name", a.Topic)
		}
		if a.Topic == "" && a.Endpoint == nil {
			d.fault(n, path, "topic", "is empty and there is no http: nobody would learn of the audience")
		}
		a.where = d.condition(n, path, "where", where)
		if except != "" {
			a.except = d.condition(n, path, "except", except)
		}
		a.Definition = fingerprint(where, except)
	}
}

func (d *decoder) condition(n *yamltree.Node, path, key, source string) func(map[string]any) scoring.Truth {
	holds, err := modelfile.Named(source, names...)
	if err != nil {
		d.fault(n, path, key, "%s", err)
	}
	return holds
}

func (d *decoder) endpoint(e *Endpoint) yamltree.Field {
	e.Batch, e.Every = defaultBatch, defaultEvery
	fields, finish := d.Fields()
	object := d.Object(append(yamltree.Fields{
		{Key: "batch", Use: d.Int(&e.Batch)},
		{Key: "every", Use: d.Duration(&e.Every, 0, 24*time.Hour)},
	}, fields...))
	return func(n *yamltree.Node, path string) {
		object(n, path)
		e.target = finish(n, path)
		e.Identity = fingerprint(e.target.URL())
		if e.Batch < 1 || e.Batch > 10_000 {
			d.fault(n, path, "batch", "%d is not between 1 and 10000", e.Batch)
		}
	}
}

func (d *decoder) fault(n *yamltree.Node, path, key, format string, args ...any) {
	at := n.Position
	if given := n.Get(key); given != nil {
		at = given.Position
	}
	d.Faults.Add(at, yamltree.Join(path, key), format, args...)
}

func (d *decoder) unique(audiences []*Audience, root *yamltree.Node) {
	first, topics := map[string]int{}, map[string]int{}
	for i, a := range audiences {
		if before, twice := first[a.Name]; twice {
			d.Faults.Add(root.Position, fmt.Sprintf("audiences[%d].name", i), "%q is the name of audiences[%d] too", a.Name, before)
		}
		if before, twice := topics[a.Topic]; twice && a.Topic != "" {
			d.Faults.Add(root.Position, fmt.Sprintf("audiences[%d].topic", i), "%q is the topic of audiences[%d] too: they would overwrite each other", a.Topic, before)
		}
		first[a.Name], topics[a.Topic] = i, i
	}
}

func fingerprint(parts ...string) string {
	h := sha256.New()
	for _, p := range parts {
		fmt.Fprintf(h, "%d:%s", len(p), p)
	}
	return hex.EncodeToString(h.Sum(nil)[:8])
}
