package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/rs/zerolog"
	"golang.org/x/sync/errgroup"
	"golang.org/x/term"

	"tidemark/pkg/app"
	"tidemark/pkg/config"
	"tidemark/pkg/console"
	"tidemark/pkg/embedded"
	"tidemark/pkg/embedded/traffic"
	"tidemark/pkg/engine"
	"tidemark/streams/conn"
	"tidemark/streams/sink"
	"tidemark/streams/tail"
)

type demoCmd struct {
	Speed   time.Duration `default:"6h" help:"How much time passes in a second."`
	Seed    uint64        `default:"1" help:"The same seed gives the same firms, who do the same."`
	Firms   int           `default:"60" help:"Number of firms."`
	For     time.Duration `help:"Stop after this long, such as 60s. Without it, at Ctrl-C."`
	HTTP    string        `name:"http" default:"127.0.0.1:0" help:"Address for health and metrics; port 0 is a free one."`
	Verbose bool          `help:"Show the service's log, not just its warnings."`
}

// demoPartitions is how many partitions each topic of the demo has.
const demoPartitions = 4

// Run runs everything in this process until the context ends.
func (c *demoCmd) Run(s *streams) error {
	if err := c.check(); err != nil {
		return err
	}
	cfg := config.Default()
	t := cfg.Kafka.Topics
	servers, err := embedded.Start(
		[]string{t.Intent, t.Engagement, t.Profiles, t.Outcomes, t.TierChanges, t.AccountTiers, t.DeadLetters}, demoPartitions)
	if err != nil {
		return err
	}
	defer servers.Close()
	cfg.Kafka.Brokers = []string{servers.Kafka()}
	cfg.Redis.Addrs = []string{net.JoinHostPort(servers.Redis())}
	cfg.Kafka.InstanceID, cfg.HTTP.Addr = "demo", c.HTTP
	cfg.Canary.Every = 0 // its clock is not the demo's
	if err := cfg.Validate(); err != nil {
		return usageError{err}
	}
	ctx, cancel := context.WithCancel(s.ctx)
	defer cancel()
	if c.For > 0 {
		// Not a deadline: requests would fail at it rather than be cancelled.
		defer time.AfterFunc(c.For, cancel).Stop()
	}
	d, err := c.open(s, cfg)
	if err != nil {
		return err
	}
	return errors.Join(d.run(ctx), d.close())
}

func (c *demoCmd) check() error {
	switch {
	case c.Speed < time.Second:
		return usageError{fmt.Errorf("--speed: %v, must be 1s (no time-lapse) or more", c.Speed)}
	case c.Firms < 1 || c.Firms > 10_000:
		return usageError{fmt.Errorf("--firms: %d, must be from 1 to 10000", c.Firms)}
	case c.For < 0:
		return usageError{fmt.Errorf("--for: %v, must be positive", c.For)}
	}
	return nil
}

// demo is one run.
type demo struct {
	*streams
	cmd       *demoCmd
	cfg       config.Config
	log       zerolog.Logger
	live      bool
	view      *console.View
	transport *conn.Transport
	pacer     *traffic.Pacer
	follower  *tail.Follower
	watch     *watch
}

// open makes everything and starts nothing.
func (c *demoCmd) open(s *streams, cfg config.Config) (*demo, error) {
	d := &demo{streams: s, cmd: c, cfg: cfg}
	d.openView()
	model, _, err := openModel("")
	if err != nil {
		return nil, err
	}
	kafka, err := app.KafkaConfig(cfg, nil)
	if err != nil {
		return nil, err
	}
	if d.transport, err = conn.NewTransport(kafka); err != nil {
		return nil, err
	}
	publisher, err := sink.New(sink.Config{Transport: d.transport}, d.log)
	if err != nil {
		return nil, err
	}
	topics := cfg.Kafka.Topics
	if d.follower, err = tail.New(tail.Config{Transport: d.transport, Topic: topics.TierChanges}, d.log); err != nil {
		return nil, err
	}
	d.pacer = &traffic.Pacer{
		World: traffic.New(c.Seed, c.Firms), Clock: traffic.NewClock(monday(time.Now()), c.Speed.Seconds()),
		Topics:    traffic.Topics{Profiles: topics.Profiles, Intent: topics.Intent, Engagement: topics.Engagement},
		Publisher: publisher, Journal: &traffic.Journal{},
	}
	d.watch = newWatch(d.view, d.pacer, model.Spec().Tiers, c.Speed)
	d.watch.explain = d.explain
	return d, nil
}

// monday is when the week of an instant begins, UTC.
func monday(t time.Time) time.Time {
	y, m, day := t.UTC().Date()
	return time.Date(y, m, day-(int(t.UTC().Weekday())+6)%7, 0, 0, 0, 0, time.UTC)
}

// openView makes the view, and a logger that writes into it.
func (d *demo) openView() {
	var opts console.Options
	if f, ok := d.out.(*os.File); ok && term.IsTerminal(int(f.Fd())) && !slices.Contains(d.environ, "TERM=dumb") {
		opts.Live = true
		opts.Color = !slices.ContainsFunc(d.environ, func(v string) bool { return strings.HasPrefix(v, "NO_COLOR=") && v != "NO_COLOR=" })
		opts.Width = func() int { width, _, _ := term.GetSize(int(f.Fd())); return width }
	}
	d.view, d.live = console.New(d.out, opts), opts.Live
	level := zerolog.WarnLevel
	if d.cmd.Verbose {
		level = zerolog.InfoLevel
	}
	writer := zerolog.ConsoleWriter{Out: d.view, NoColor: !opts.Color, PartsExclude: []string{zerolog.TimestampFieldName}}
	d.log = zerolog.New(writer).Level(level)
}

// run runs until ctx ends. The clock stands until the service is up.
func (d *demo) run(ctx context.Context) error {
	if err := d.pacer.Introduce(ctx); err != nil {
		return err
	}
	group, ctx := errgroup.WithContext(ctx)
	ready := make(chan struct{})
	group.Go(func() error {
		return app.Serve(ctx, d.cfg, d.log, app.Options{
			Embedded: true, Now: d.pacer.Clock.Milli,
			Ready: func(addr string) {
				d.greet(addr)
				d.pacer.Clock.Start()
				close(ready)
			},
		})
	})
	group.Go(func() error {
		select {
		case <-ready:
			return d.pacer.Run(ctx)
		case <-ctx.Done():
			return nil
		}
	})
	group.Go(func() error { return d.follower.Run(ctx, d.watch.take) })
	group.Go(func() error {
		select {
		case <-ready:
			d.watch.report(ctx, d.live)
		case <-ctx.Done():
		}
		return nil
	})
	return group.Wait()
}

func (d *demo) close() error {
	d.transport.Close()
	d.view.Line(d.watch.farewell())
	return d.view.Close()
}

// greet says what this is and what to try.
func (d *demo) greet(http string) {
	kafka, redis, topics := d.cfg.Kafka.Brokers[0], d.cfg.Redis.Addrs[0], d.cfg.Kafka.Topics
	host, port, _ := net.SplitHostPort(redis)
	cli := fmt.Sprintf("redis-cli -h %s -p %s", host, port)
	first := d.pacer.World.Firms()[0].Account
	shard := fmt.Sprintf("%s:{%03d}", d.cfg.Namespace, engine.ShardOf(first, d.cfg.Redis.Shards))
	for _, line := range []string{
		fmt.Sprintf("Tidemark demo: %d made-up firms are scored by the reference model. One second is %s. Ctrl-C stops.", d.cmd.Firms, short(d.cmd.Speed)),
		"In this process only, nothing is kept:",
		"  Kafka  " + kafka,
		"  Redis  " + redis,
		"  HTTP   http://" + http,
		"",
		"Try in another terminal:",
		fmt.Sprintf("  kcat -b %s -C -t %s -q -u", kafka, topics.TierChanges),
		fmt.Sprintf("  kcat -b %s -C -t %s -e -q -f '%%k: %%s\\n'", kafka, topics.AccountTiers),
		fmt.Sprintf("  kcat -b %s -C -t %s -e -q -f '%%h\\n%%s\\n'", kafka, topics.DeadLetters),
		fmt.Sprintf("  %s hgetall %s:meta", cli, d.cfg.Namespace),
		fmt.Sprintf("  %s zrange '%s:next' 0 -1 withscores", cli, shard),
		fmt.Sprintf("  curl http://%s/metrics", http),
		"  " + d.environment(),
		fmt.Sprintf("  %s accounts explain %s", os.Args[0], first),
	} {
		d.view.Line(line)
	}
	for _, f := range d.pacer.World.Firms() {
		if f.Persona == traffic.Scanned {
			d.view.Line(fmt.Sprintf("  %s accounts explain %s   (a scanner clicks there)", os.Args[0], f.Account))
			break
		}
	}
	d.view.Line("")
}

// environment makes other commands find the servers of this process.
func (d *demo) environment() string {
	return fmt.Sprintf("export TIDEMARK_KAFKA_BROKERS=%s TIDEMARK_REDIS_ADDRS=%s", d.cfg.Kafka.Brokers[0], d.cfg.Redis.Addrs[0])
}

// explain is the command that says why an account is where it is.
func (d *demo) explain(account string, at time.Time) string {
	return fmt.Sprintf("%s accounts explain %s --at %s", os.Args[0], account, at.UTC().Format(time.RFC3339))
}

// short writes a duration without its zeros: 6h, not 6h0m0s.
func short(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}
