package bench

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/segmentio/kafka-go"

	"tidemark/pkg/app"
	"tidemark/pkg/config"
	"tidemark/pkg/engine"
	"tidemark/pkg/modelfile"
	"tidemark/streams/conn"
)

//go:embed model.yaml
var benchModel []byte

type partition = engine.Partition

const never = int64(math.MaxInt64)

// The sections of a bench, in the order in which they run.
const (
	SectionCatchUp   = "catch-up"
	SectionOffline   = "offline"
	SectionLatency   = "latency"
	SectionState     = "state"
	SectionTime      = "time"
	SectionRescore   = "rescore"
	SectionSweep     = "sweep"
	SectionGrowth    = "growth"
	SectionInstances = "instances"
	SectionPeers     = "peers" // in the figures only: peers run within catch-up and latency
)

// Sections are the names that Options.Only may hold.
func Sections() []string {
	return []string{
		SectionCatchUp, SectionOffline, SectionLatency, SectionState, SectionTime, SectionRescore, SectionSweep, SectionGrowth, SectionInstances,
	}
}

// Options say what to measure, and where.
type Options struct {
	// Config is how to reach Kafka and Redis, and the base of serve's settings.
	// Namespace, topics, group, model and http.addr are replaced.
	Config config.Config
	// ConfigFile is the file that Config came from, for serve; empty: none.
	ConfigFile string
	// Environ is the environment of serve.
	Environ []string
	// Program is the command that `serve` is added to. Empty: this binary.
	Program []string
	// Profile is where `serve` writes its CPU profile. Empty: nowhere.
	Profile string
	// KafkaPID and RedisPID are the servers' processes; 0: not ours, so that their
	// processor time is unknown.
	KafkaPID, RedisPID int

	Workload   Workload
	Model      string // a file; empty: the bench's own
	Partitions int    // of each topic
	Rounds     int    // each section runs so often; figures are medians
	Only       []string
	Verify     bool // hold the published history against the offline one

	// Peers are programs of deploy/peers to run beside serve, built in PeersDir.
	Peers    []string
	PeersDir string

	Rates    []int         // events per second of the latency section
	LoadFor  time.Duration // how long each load lasts
	Rate     int           // events per second beside a rescore and a sweep
	Due      int           // accounts of the sweep section, all due in one second
	Quiet    int           // accounts at rest of the time section, and those that are rescored
	Crossing int           // those beside them that cross while the cost of time is watched
	IdleFor  time.Duration // how long that is
	Growth   []int         // accounts present in the growth section, ascending

	// StartCluster starts a Redis Cluster for the instances section. Nil: none is measured.
	StartCluster func() (Cluster, error)

	// Progress is told what is being done, one line at a time. Nil: nobody.
	Progress func(line string)
}

// Validate joins every fault, each with its flag.
func (o *Options) Validate() error {
	faults := []error{o.Workload.Validate()}
	if o.Partitions < 1 {
		faults = append(faults, fmt.Errorf("--partitions: %d, must be 1 or more", o.Partitions))
	}
	if o.Rounds < 1 {
		faults = append(faults, fmt.Errorf("--rounds: %d, must be 1 or more", o.Rounds))
	}
	faults = append(faults, o.validateLoads(), o.validateSizes(), o.validatePeers())
	for _, name := range o.Only {
		if !slices.Contains(Sections(), name) {
			faults = append(faults, fmt.Errorf("--only: %q is not one of %s", name, strings.Join(Sections(), ", ")))
		}
	}
	return errors.Join(faults...)
}

func (o *Options) validateLoads() error {
	var faults []error
	for _, rate := range append(slices.Clone(o.Rates), o.Rate) {
		if rate < 1 || rate > 1_000_000 {
			faults = append(faults, fmt.Errorf("--rates and --rate: %d, must be events per second from 1 to 1000000", rate))
		}
	}
	if o.LoadFor < time.Second {
		faults = append(faults, fmt.Errorf("--load-for: %s, must be 1s or more", o.LoadFor))
	}
	if o.Due < 1 {
		faults = append(faults, fmt.Errorf("--due: %d, must be 1 or more", o.Due))
	}
	if o.IdleFor < time.Second {
		faults = append(faults, fmt.Errorf("--idle-for: %s, must be 1s or more", o.IdleFor))
	}
	return errors.Join(faults...)
}

func (o *Options) validateSizes() error {
	var faults []error
	if o.Quiet < 1 {
		faults = append(faults, fmt.Errorf("--quiet: %d, must be 1 or more", o.Quiet))
	}
	if o.Crossing < 1 {
		faults = append(faults, fmt.Errorf("--crossing: %d, must be 1 or more", o.Crossing))
	}
	least := 0
	for _, size := range o.Growth {
		if size <= least {
			faults = append(faults, fmt.Errorf("--growth: %d after %d, must be numbers of accounts that rise from 1", size, least))
		}
		least = size
	}
	if len(o.Growth) == 0 {
		faults = append(faults, errors.New("--growth: none, must be numbers of accounts such as 10000,1000000"))
	}
	return errors.Join(faults...)
}

// bench is one bench in progress.
type bench struct {
	opts      Options
	id        string // makes names unique
	names     int
	dir       string // temporary files
	model     string // the model's file
	file      *modelfile.File
	transport *conn.Transport
	client    *kafka.Client
	dialer    *kafka.Dialer
	redis     redis.UniversalClient
	report    *Report
	first     *history // what the first verified round published
	last      int64    // latest event time that was loaded, Unix milliseconds
}

// Run measures and returns what it found; after an error or a cancellation,
// what it found until then.
func Run(ctx context.Context, opts Options) (*Report, error) {
	b, err := open(opts)
	if err != nil {
		return nil, err
	}
	err = b.run(ctx)
	b.report.judge(&b.opts)
	return b.report, errors.Join(err, b.close())
}

func open(opts Options) (_ *bench, err error) {
	if err := opts.Validate(); err != nil {
		return nil, err
	}
	b := &bench{opts: opts, id: fmt.Sprintf("%x", time.Now().UnixMilli())}
	if len(b.opts.Program) == 0 {
		if b.opts.Program, err = program(); err != nil {
			return nil, err
		}
	}
	if b.dir, err = os.MkdirTemp("", "tidemark-bench-"); err != nil {
		return nil, fmt.Errorf("bench: %w", err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, b.close())
		}
	}()
	if err := b.openModel(); err != nil {
		return nil, err
	}
	kafkaConfig, err := app.KafkaConfig(opts.Config, nil)
	if err != nil {
		return nil, err
	}
	if b.transport, err = conn.NewTransport(kafkaConfig); err != nil {
		return nil, fmt.Errorf("kafka: %w", err)
	}
	if b.dialer, err = conn.NewDialer(kafkaConfig); err != nil {
		return nil, fmt.Errorf("kafka: %w", err)
	}
	b.client = b.transport.Client(30 * time.Second)
	if b.redis, err = b.openRedis(); err != nil {
		return nil, err
	}
	b.report = &Report{
		Time: time.Now().UTC(), Workload: opts.Workload, Model: b.file.Spec.Name,
		Machine: Machine{runtime.NumCPU(), runtime.GOOS, runtime.GOARCH, runtime.Version()},
	}
	return b, nil
}

// openModel writes the bench's own model where serve can read it, if no other is wanted.
func (b *bench) openModel() (err error) {
	if b.model = b.opts.Model; b.model == "" {
		b.model = filepath.Join(b.dir, "bench.yaml")
		if err := os.WriteFile(b.model, benchModel, 0o600); err != nil {
			return fmt.Errorf("bench: %w", err)
		}
	}
	b.file, err = app.ReadModel(b.model)
	return err
}

func (b *bench) close() error {
	if b.transport != nil {
		b.transport.Close()
	}
	var err error
	if b.redis != nil {
		err = b.redis.Close()
	}
	return errors.Join(err, os.RemoveAll(b.dir))
}

// name is a name that nobody else uses.
func (b *bench) name(base string) string {
	b.names++
	return fmt.Sprintf("bench-%s-%s-%d", b.id, base, b.names)
}

func (b *bench) say(format string, args ...any) {
	if b.opts.Progress != nil {
		b.opts.Progress(fmt.Sprintf(format, args...))
	}
}

func (b *bench) wants(section string) bool {
	return len(b.opts.Only) == 0 || slices.Contains(b.opts.Only, section)
}

func (b *bench) run(ctx context.Context) error {
	sections := []struct {
		name string
		run  func(context.Context) error
	}{
		{SectionCatchUp, b.catchUps},
		{SectionOffline, b.offlines},
		{SectionLatency, b.steadyLoads},
		{SectionState, b.states},
		{SectionTime, b.times},
		{SectionRescore, b.rescores},
		{SectionSweep, b.sweeps},
		{SectionGrowth, b.growths},
		{SectionInstances, b.instances},
	}
	for _, s := range sections {
		if !b.wants(s.name) {
			continue
		}
		if err := s.run(ctx); err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
	}
	return nil
}
