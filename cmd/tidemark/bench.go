package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"tidemark/deploy/testenv"
	"tidemark/pkg/bench"
	"tidemark/pkg/config"
)

type benchCmd struct {
	configFlags
	Kafka string `help:"Brokers to use, host:port,… . Without it and --config, a Kafka of its own is started."`
	Redis string `help:"Redis to use, host:port,… . Without it and --config, a Redis of its own is started."`

	Events     int     `default:"2000000" help:"Events of the backlog."`
	Accounts   int     `default:"200000" help:"Accounts that they are of."`
	Zipf       float64 `default:"1.05" help:"Exponent of the accounts' popularity, above 1."`
	Duplicates float64 `default:"0.01" help:"Share of events that come a second time."`
	Disorder   float64 `default:"0.02" help:"Share of events that come late, by up to an hour."`
	Seed       uint64  `default:"1" help:"The same seed gives the same events."`
	Model      string  `help:"Model file. Without it, the bench's own, which the peers compute too." type:"path"`
	Partitions int     `default:"4" help:"Partitions of each topic."`

	Only   []string `help:"Sections to run, such as catch-up,latency. Without it, all."`
	Rounds int      `default:"3" help:"How often each section runs; figures are medians."`
	Verify bool     `default:"true" negatable:"" help:"Hold the history published while catching up against the offline one."`

	Rates    []int         `default:"10000" help:"Events per second at which latency is measured."`
	LoadFor  time.Duration `default:"40s" help:"How long each load lasts."`
	Rate     int           `default:"10000" help:"Events per second while accounts are rescored and demoted."`
	Due      int           `default:"100000" help:"Accounts whose demotion falls into one second."`
	Quiet    int           `default:"1000000" help:"Accounts at rest while the cost of time is watched (that many, and a tenth), and accounts to rescore."`
	Crossing int           `default:"1000" help:"Accounts that cross by time meanwhile."`
	IdleFor  time.Duration `default:"20s" help:"How long the cost of time is watched, with nobody crossing and with these."`
	Growth   []int         `default:"10000,1000000,5000000" help:"Accounts present while the same load is taken in, ascending. What does not fit into memory is cut."`

	Peers    []string `help:"Programs of deploy/peers to run beside it: streams, streams-eos, flink, flink-rocksdb."`
	PeersDir string   `help:"Where they are built. Without it, peers in the cache folder, as deploy/peers/build.sh has it." type:"path"`

	Profile string `help:"Write serve's CPU profile here; of several runs, the last." type:"path"`
	JSON    string `name:"json" help:"Write the figures here too, as JSON; - for standard output instead of the table."`
}

// Run measures and prints the figures.
func (c *benchCmd) Run(s *streams) error {
	opts, err := c.options(s)
	if err != nil {
		return err
	}
	if err := opts.Validate(); err != nil {
		return usageError{err}
	}
	servers, err := c.start(s, &opts)
	if err != nil {
		return errors.Join(err, servers.stop())
	}
	report, err := bench.Run(s.ctx, opts)
	if s.ctx.Err() != nil {
		err = errors.Join(errors.New("interrupted: the figures are incomplete"), err)
	}
	if report != nil {
		err = errors.Join(err, c.write(s, report))
	}
	return errors.Join(err, servers.stop())
}

func (c *benchCmd) options(s *streams) (bench.Options, error) {
	cfg, err := config.Load(c.Config, s.environ)
	for key, value := range map[string]string{"kafka.brokers": c.Kafka, "redis.addrs": c.Redis} {
		if err == nil && value != "" {
			err = cfg.Set(key, value)
		}
	}
	if err == nil {
		err = cfg.Validate()
	}
	if err != nil {
		return bench.Options{}, usageError{err}
	}
	if c.PeersDir == "" {
		cache, err := testenv.Cache()
		if err != nil {
			return bench.Options{}, err
		}
		c.PeersDir = filepath.Join(cache, "peers")
	}
	w := bench.DefaultWorkload(time.Now())
	w.Events, w.Accounts, w.Zipf, w.Duplicates, w.Disorder, w.Seed = c.Events, c.Accounts, c.Zipf, c.Duplicates, c.Disorder, c.Seed
	return bench.Options{
		Config: cfg, ConfigFile: c.Config, Environ: s.environ, Workload: w, Model: c.Model, Partitions: c.Partitions,
		Rounds: c.Rounds, Only: c.Only, Verify: c.Verify,
		Profile: c.Profile, Peers: c.Peers, PeersDir: c.PeersDir,
		Rates: c.Rates, LoadFor: c.LoadFor, Rate: c.Rate, Due: c.Due, Quiet: c.Quiet, Crossing: c.Crossing, IdleFor: c.IdleFor, Growth: c.Growth,
		StartCluster: c.cluster(),
		Progress:     func(line string) { fmt.Fprintf(s.err, "%s %s\n", time.Now().Format(time.TimeOnly), line) },
	}, nil
}

// clusterNodes is how many nodes the instances section's Redis Cluster has.
const clusterNodes = 3

// cluster starts a Redis Cluster beside servers that need neither TLS nor a login.
func (c *benchCmd) cluster() func() (bench.Cluster, error) {
	if c.Config != "" {
		return nil
	}
	return func() (bench.Cluster, error) {
		nodes, err := testenv.StartRedisCluster(clusterNodes)
		if err != nil {
			return bench.Cluster{}, err
		}
		out := bench.Cluster{Addrs: nodes.Addrs(), Stop: nodes.Stop}
		for i := range clusterNodes {
			out.PIDs = append(out.PIDs, nodes.Node(i).PID())
		}
		return out, nil
	}
}

// benchServers are the servers that were started here.
type benchServers struct {
	kafka *testenv.Kafka
	redis *testenv.Redis
}

// benchRedis keeps Redis from rewriting its append-only file, which grows faster here than
// in a life: a rewrite that falls into one section and not into another would be measured.
var benchRedis = []string{"auto-aof-rewrite-min-size 16gb"}

// start starts the servers that nobody pointed at: Kafka with the memory that a
// broker is given in earnest, both with their usual durability.
func (c *benchCmd) start(s *streams, opts *bench.Options) (*benchServers, error) {
	servers := &benchServers{}
	if c.Config != "" {
		return servers, nil
	}
	var err error
	if c.Kafka == "" {
		opts.Progress("starting Kafka " + testenv.Kafka4)
		servers.kafka, err = testenv.StartKafka(testenv.KafkaOptions{
			JVM: []string{"-Xms1g", "-Xmx1g", "-XX:TieredStopAtLevel=1"}, Config: []string{"num.network.threads=3", "num.io.threads=8"},
		})
		if err != nil {
			return servers, err
		}
		opts.Config.Kafka.Brokers, opts.KafkaPID = []string{servers.kafka.Addr()}, servers.kafka.PID()
	}
	if c.Redis == "" {
		if servers.redis, err = testenv.StartRedis(testenv.RedisOptions{Config: benchRedis}); err != nil {
			return servers, err
		}
		opts.Config.Redis.Addrs, opts.RedisPID = []string{servers.redis.Addr()}, servers.redis.PID()
	}
	return servers, s.ctx.Err()
}

func (b *benchServers) stop() error {
	var faults []error
	if b.kafka != nil {
		faults = append(faults, b.kafka.Stop())
	}
	if b.redis != nil {
		faults = append(faults, b.redis.Stop())
	}
	return errors.Join(faults...)
}

// write prints the table and the JSON.
func (c *benchCmd) write(s *streams, r *bench.Report) error {
	text, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return fmt.Errorf("--json: %w", err)
	}
	text = append(text, '\n')
	switch c.JSON {
	case "":
	case "-":
		_, err := s.out.Write(text)
		return err
	default:
		if err := os.WriteFile(c.JSON, text, 0o644); err != nil {
			return fmt.Errorf("--json: %w", err)
		}
	}
	return r.Write(s.out)
}
