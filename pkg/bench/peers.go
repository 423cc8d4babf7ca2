package bench

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"
)

// peer is a program of deploy/peers in one of its settings.
type peer struct {
	name    string // as Options.Peers and the figures call it
	folder  string // of deploy/peers
	main    string // class
	jvm     []string
	setting string // further environment
}

var (
	// Flink copies objects by reflection where it knows no better.
	opens = []string{"--add-opens=java.base/java.util=ALL-UNNAMED", "--add-opens=java.base/java.lang=ALL-UNNAMED"}
	peers = []peer{
		{"streams", "kafka-streams", "tidemark.peers.StreamsPeer", nil, "PEER_GUARANTEE=at_least_once"},
		{"streams-eos", "kafka-streams", "tidemark.peers.StreamsPeer", nil, "PEER_GUARANTEE=exactly_once_v2"},
		{"flink", "flink", "tidemark.peers.FlinkPeer", opens, "PEER_BACKEND=hashmap"},
		{"flink-rocksdb", "flink", "tidemark.peers.FlinkPeer", opens, "PEER_BACKEND=rocksdb"},
	}
)

// Peers are the names that Options.Peers may hold.
func Peers() []string {
	names := make([]string, len(peers))
	for i, p := range peers {
		names[i] = p.name
	}
	return names
}

func (o *Options) validatePeers() error {
	var faults []error
	for _, name := range o.Peers {
		i := slices.IndexFunc(peers, func(p peer) bool { return p.name == name })
		if i < 0 {
			faults = append(faults, fmt.Errorf("--peers: %q is not one of %s", name, strings.Join(Peers(), ", ")))
			continue
		}
		if _, err := os.Stat(filepath.Join(o.PeersDir, peers[i].folder, "lib")); err != nil {
			faults = append(faults, fmt.Errorf("--peers: %s is not built in %s: run deploy/peers/build.sh, or make bench-peers", name, o.PeersDir))
		}
	}
	if len(o.Peers) > 0 && o.Model != "" {
		faults = append(faults, errors.New("--peers: the peers compute the bench's own model, leave --model out"))
	}
	if len(o.Peers) > 0 && o.ConfigFile != "" {
		faults = append(faults, errors.New("--peers: the peers reach Kafka without TLS or a login, use --kafka instead of --config"))
	}
	return errors.Join(faults...)
}

// wantedPeers are the peers to run, in a fixed order.
func (b *bench) wantedPeers() []peer {
	var out []peer
	for _, p := range peers {
		if slices.Contains(b.opts.Peers, p.name) {
			out = append(out, p)
		}
	}
	return out
}

// runningPeer is a peer's process and what it said so far.
type runningPeer struct {
	*child
	dir                string
	ready, first, last chan struct{} // closed at each word of its output
}

// startPeer starts a peer on a deployment's topics.
func (b *bench) startPeer(p peer, d *deployment, mode string, events int) (*runningPeer, error) {
	java, err := exec.LookPath("java")
	if err != nil {
		return nil, fmt.Errorf("peer %s: %w", p.name, err)
	}
	dir, err := os.MkdirTemp(b.dir, p.name+"-")
	if err != nil {
		return nil, fmt.Errorf("peer %s: %w", p.name, err)
	}
	home := filepath.Join(b.opts.PeersDir, p.folder)
	classes := filepath.Join(home, "classes") + string(os.PathListSeparator) + filepath.Join(home, "lib", "*")
	t := d.cfg.Kafka.Topics
	argv := append([]string{java, "-Xms2g", "-Xmx2g", "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn"}, p.jvm...)
	env := append(slices.Clone(b.opts.Environ),
		"PEER_BROKERS="+strings.Join(d.cfg.Kafka.Brokers, ","), "PEER_TOPICS="+t.Intent+","+t.Engagement, "PEER_CHANGES="+t.TierChanges,
		"PEER_GROUP="+d.cfg.Kafka.Group, "PEER_STATE_DIR="+dir, "PEER_MODE="+mode, fmt.Sprintf("PEER_EVENTS=%d", events), p.setting)
	r := &runningPeer{dir: dir, ready: make(chan struct{}), first: make(chan struct{}), last: make(chan struct{})}
	words := map[string]func(){}
	for word, said := range map[string]chan struct{}{"READY": r.ready, "FIRST": r.first, "LAST": r.last} {
		words[word] = sync.OnceFunc(func() { close(said) })
	}
	r.child, err = startChild("peer "+p.name, append(argv, "-cp", classes, p.main), env, dir, func(line string) {
		if say := words[line]; say != nil {
			say()
		}
	})
	return r, err
}

// peerLimit is how long a peer may take to say a word.
const peerLimit = 30 * time.Minute

// heard waits for a word of the peer.
func (r *runningPeer) heard(ctx context.Context, word <-chan struct{}) error {
	timer := time.NewTimer(peerLimit)
	defer timer.Stop()
	select {
	case <-word:
		return nil
	case <-r.done:
		return r.ended()
	case <-timer.C:
		return fmt.Errorf("%s was not through after %s", r.name, peerLimit)
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// stop ends the peer and removes its state. How a Java program ends on a signal
// says nothing about it.
func (r *runningPeer) stop() error { return errors.Join(r.child.stop(), os.RemoveAll(r.dir)) }

// removePeer deletes what a peer left in Kafka beside the deployment's topics.
func (b *bench) removePeer(ctx context.Context, d *deployment, keep map[string]string) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
	defer cancel()
	// Kafka Streams names its changelog by application and store.
	return errors.Join(b.remove(ctx, d, keep), b.removeTopics(ctx, []string{d.cfg.Kafka.Group + "-accounts-changelog"}))
}

// peerCatchUp lets a peer catch up on the loaded topics, from its first event to its
// last. Start and group join are left out.
func (b *bench) peerCatchUp(ctx context.Context, p peer, input map[string]string) (err error) {
	d, err := b.deploy(ctx, input)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.removePeer(ctx, d, input)) }()
	n := b.opts.Workload.Events
	r, err := b.startPeer(p, d, "replay", n)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.stop()) }()
	if err := r.heard(ctx, r.first); err != nil {
		return err
	}
	begun := time.Now()
	from, err := b.clocks(r.pid())
	if err != nil {
		return err
	}
	if err := r.heard(ctx, r.last); err != nil {
		return err
	}
	took := time.Since(begun)
	to, err := b.clocks(r.pid())
	if err != nil {
		return err
	}
	changes, err := b.settledChanges(ctx, d.cfg.Kafka.Topics.TierChanges)
	if err != nil {
		return err
	}
	_, peak, err := memoryOf(r.pid())
	if err != nil {
		return err
	}
	spent := to.since(from)
	add := func(name, unit string, v float64) { b.report.add(SectionPeers, p.name+": "+name, unit, v) }
	add("catch-up", "events/s", perSecond(n, took))
	add("cpu", "µs/event", perEvent(spent.serve, n))
	if b.opts.KafkaPID != 0 {
		add("cpu kafka", "µs/event", perEvent(spent.kafka, n))
	}
	add("rss peak", "MiB", peak/(1<<20))
	add("tier changes", "", float64(changes))
	b.say("peer %s: catch-up %s events/s, %d tier changes", p.name, number(perSecond(n, took)), changes)
	return nil
}

// settledChanges waits until a topic grows no more, and counts its tier changes.
func (b *bench) settledChanges(ctx context.Context, topic string) (changes int, err error) {
	if err := b.still(ctx, topic); err != nil {
		return 0, err
	}
	var mu sync.Mutex
	seen := map[string]bool{}
	err = b.readAll(ctx, topic, func(value []byte) error {
		c, err := parseChange(value)
		mu.Lock()
		seen[c.ID] = true
		mu.Unlock()
		return err
	})
	return len(seen), err
}

// peerLoad measures a peer's latency at a fixed rate, on fresh accounts.
func (b *bench) peerLoad(ctx context.Context, p peer, rate int, round uint64) (err error) {
	d, err := b.deploy(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.removePeer(ctx, d, nil)) }()
	r, err := b.startPeer(p, d, "live", 0)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.stop()) }()
	if err := r.heard(ctx, r.ready); err != nil {
		return err
	}
	x, err := b.startProbe(ctx, d.probe(rate, b.opts.Workload.Seed+1+round))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, x.close()) }()
	measured := window{b.warmUp(), b.opts.LoadFor}
	if err := x.wait(ctx, measured.to); err != nil {
		return err
	}
	x.endLoad()
	if err := r.heard(ctx, x.loaded); err != nil {
		return err
	}
	if err := b.still(ctx, d.cfg.Kafka.Topics.TierChanges); err != nil {
		return err
	}
	b.compare(SectionPeers, fmt.Sprintf("%s at %s/s: ", p.name, number(float64(rate))), x, measured)
	return x.failure()
}
