package webhook

import (
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

// Endpoint is where events go.
type Endpoint struct {
	Name        string
	filter      func(map[string]any) scoring.Truth // nil: every event
	concurrency int
	maxQueue    int
	batch       batch
	target      *outbound.Target
}

// batch is how many events go into one request.
type batch struct {
	max  int           // 1: each goes alone
	wait time.Duration // for more, behind the first
}

// The limits of an endpoint where its file says nothing.
const (
	defaultConcurrency = 4
	defaultMaxQueue    = 100_000
	defaultBatchWait   = 5 * time.Second
)

// names are what a filter may read.
var names = []string{"topic", "id", "source", "type", "subject", "time", "data"}

// Load reads a file of endpoints.
func Load(path string) ([]*Endpoint, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("webhooks.file: %w", err)
	}
	return Parse(path, data, nil)
}

// Parse reads a file of endpoints; getenv nil is the process's environment. The error
// lists every fault with its line.
func Parse(name string, data []byte, getenv func(string) string) ([]*Endpoint, error) {
	faults := &yamltree.Faults{Name: name}
	var out []*Endpoint
	if root := yamltree.Parse(data, faults); root != nil {
		d := &decoder{outbound.Decoder{
			Decoder: &yamltree.Decoder{Faults: faults}, Dir: filepath.Dir(name), Getenv: getenv, Builtin: configs.WebhookTemplate,
		}}
		d.Require(d.Object(yamltree.Fields{{Key: "endpoints", Use: yamltree.ListOf(d.Decoder.Decoder, &out, d.endpoint)}}), "endpoints")(root, "")
		d.unique(out, root)
	}
	return out, faults.Err()
}

type decoder struct{ outbound.Decoder }

var endpointName = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,62}$`)

func (d *decoder) endpoint(to **Endpoint) yamltree.Field {
	e := &Endpoint{concurrency: defaultConcurrency, maxQueue: defaultMaxQueue, batch: batch{max: 1, wait: defaultBatchWait}}
	*to = e
	var filter string
	fields, finish := d.Fields()
	object := d.Object(append(yamltree.Fields{
		{Key: "name", Use: d.Text(&e.Name)},
		{Key: "filter", Use: d.Text(&filter)},
		{Key: "concurrency", Use: d.Int(&e.concurrency)},
		{Key: "max_queue", Use: d.Int(&e.maxQueue)},
		{Key: "batch", Use: d.Object(yamltree.Fields{
			{Key: "max", Use: d.Int(&e.batch.max)},
			{Key: "wait", Use: d.Duration(&e.batch.wait, 0, 10*time.Minute)},
		})},
	}, fields...))
	return func(n *yamltree.Node, path string) {
		object(n, path)
		e.target = finish(n, path)
		if !endpointName.MatchString(e.Name) {
			d.fault(n, path, "name", "%q is not 1 to 63 lower-case letters, digits and dashes", e.Name)
		}
		if e.concurrency < 1 || e.concurrency > 100 {
			d.fault(n, path, "concurrency", "%d is not between 1 and 100", e.concurrency)
		}
		if e.maxQueue < 1 {
			d.fault(n, path, "max_queue", "%d is not positive", e.maxQueue)
		}
		if e.batch.max < 1 || e.batch.max > mostInBatch {
			d.fault(n, path, "batch", "max: %d is not between 1 and %d", e.batch.max, mostInBatch)
		}
		if e.batch.max > 1 && e.target.Template != nil && !e.target.Template.Mentions("Events") {
			d.fault(n, path, "batch", "the template does not go through .Events, so it would send one event of each batch: {{ range .Events }}…{{ end }}")
		}
		if filter == "" {
			return
		}
		var err error
		if e.filter, err = modelfile.Named(filter, names...); err != nil {
			d.fault(n, path, "filter", "%s", err)
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

func (d *decoder) unique(endpoints []*Endpoint, root *yamltree.Node) {
	first := map[string]int{}
	for i, e := range endpoints {
		if before, twice := first[e.Name]; twice {
			d.Faults.Add(root.Position, fmt.Sprintf("endpoints[%d].name", i), "%q is the name of endpoints[%d] too", e.Name, before)
			continue
		}
		first[e.Name] = i
	}
}
