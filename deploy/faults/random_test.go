package faults

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"syscall"
	"testing"
	"time"

	"tidemark/deploy/testenv"
)

// TestRandomFaults harms a deployment of three instances as a seed says, under
// traffic, and verifies what is left. The same seed gives the same schedule.
func TestRandomFaults(t *testing.T) {
	t.Parallel()
	limit, seed := 40*time.Second, uint64(1)
	if text := os.Getenv(soakVariable); text != "" {
		var err error
		limit, err = time.ParseDuration(text)
		done(t, err)
		seed = uint64(time.Now().UnixNano()) % 1_000_000
	} else if everything() {
		limit = 3 * time.Minute
	}
	if text := os.Getenv(seedVariable); text != "" {
		var err error
		seed, err = strconv.ParseUint(text, 10, 64)
		done(t, err)
	}
	t.Logf("%s=%d", seedVariable, seed)
	newStage(t, seed).play(limit)
}

// stage is the deployment under random faults.
type stage struct {
	t      *testing.T
	w      *world
	rng    *rand.Rand
	broker *testenv.Kafka
	kafka  *Proxy
	server *testenv.Redis
	redis  *Proxy
	steady *instance   // harmed by its servers only: its figures must stay flat
	guests []*instance // stopped, killed and started
	number int
	seed   uint64
	harmed int // how often
	usage  map[*instance][]usage
}

func newStage(t *testing.T, seed uint64) *stage {
	t.Helper()
	g := &stage{t: t, seed: seed, rng: rand.New(rand.NewPCG(seed, 2)), usage: map[*instance][]usage{}}
	g.broker, g.kafka = victims.hold(t)
	g.server = testenv.StartRedisFor(t)
	var err error
	g.redis, err = NewProxy(0, g.server.Addr())
	done(t, err)
	t.Cleanup(func() { done(t, g.redis.Close()) })
	g.w = newWorld(t, setup{
		brokers: g.broker.Addr(), redis: []string{g.server.Addr()},
		env: []string{"TIDEMARK_KAFKA_BROKERS=" + g.kafka.Addr(), "TIDEMARK_REDIS_ADDRS=" + g.redis.Addr()},
	})
	return g
}

func (g *stage) play(limit time.Duration) {
	g.steady = g.w.serve("TIDEMARK_KAFKA_INSTANCE_ID=steady")
	for range 2 {
		g.join()
	}
	m := usualMix(g.rng.Uint64())
	m.merges = 0.004
	tr := g.w.traffic(m)
	g.w.flowing(50)
	end := time.Now().Add(limit)
	for time.Now().Before(end) {
		act := acts[g.rng.IntN(len(acts))]
		length := time.Duration(500+g.rng.IntN(7500)) * time.Millisecond
		rest := time.Duration(500+g.rng.IntN(4000)) * time.Millisecond
		g.t.Logf("%s for %s, then %s of rest", act.name, length, rest)
		g.harmed++
		act.do(g, length)
		g.stillThere()
		lasts(rest)
		g.sample()
	}
	recovered := g.w.fresh()
	g.w.flowing(50)
	tr.stop()
	r := g.w.verified()
	g.sample()
	g.t.Logf("%s=%d: %s, %d faults, recovered in %.1f s; %s; %s", seedVariable, g.seed, limit, g.harmed, recovered.Seconds(), r, g.flat())
	for _, i := range append(g.guests, g.steady) {
		i.stop()
	}
}

// act is one kind of harm. It is over when do returns.
type act struct {
	name string
	do   func(g *stage, length time.Duration)
}

var acts = []act{
	{"kill an instance", func(g *stage, _ time.Duration) { g.leave(func(i *instance) { i.kill() }); g.join() }},
	{"stop an instance", func(g *stage, _ time.Duration) { g.leave(func(i *instance) { i.stop() }); g.join() }},
	{"freeze an instance", func(g *stage, length time.Duration) {
		i := g.guests[g.rng.IntN(len(g.guests))]
		i.signal(syscall.SIGSTOP)
		lasts(length)
		i.signal(syscall.SIGCONT)
	}},
	{"kill Redis", func(g *stage, length time.Duration) {
		done(g.t, g.server.Kill())
		lasts(min(length, 3*time.Second))
		done(g.t, g.server.Restart())
	}},
	{"freeze Redis", func(g *stage, length time.Duration) {
		done(g.t, g.server.Pause())
		lasts(length)
		done(g.t, g.server.Resume())
	}},
	{"set Redis back", func(g *stage, length time.Duration) {
		done(g.t, g.server.Kill())
		done(g.t, g.server.CutAOF(min(aofSize(g.t, g.server)/3, int64(length/time.Millisecond)*20)))
		done(g.t, g.server.Restart())
	}},
	{"flush Redis's scripts", func(g *stage, _ time.Duration) { command(g.t, g.server, "SCRIPT", "FLUSH") }},
	{"no memory for Redis", func(g *stage, length time.Duration) {
		command(g.t, g.server, "CONFIG", "SET", "maxmemory", "1")
		lasts(length)
		command(g.t, g.server, "CONFIG", "SET", "maxmemory", "0")
	}},
	{"reset connections to Redis", func(g *stage, _ time.Duration) { g.redis.Reset() }},
	{"lose answers of Redis", func(g *stage, length time.Duration) { g.redis.LoseAnswers(9); lasts(length); g.redis.Heal() }},
	{"black-hole Redis", func(g *stage, length time.Duration) { g.redis.BlackHole(); lasts(length); g.redis.Heal() }},
	{"slow Redis", func(g *stage, length time.Duration) {
		g.redis.Slow(100 * time.Millisecond)
		lasts(length)
		g.redis.Heal()
	}},
	{"kill the broker", func(g *stage, length time.Duration) {
		done(g.t, g.broker.Kill())
		lasts(length)
		done(g.t, g.broker.Restart())
	}},
	{"freeze the broker", func(g *stage, length time.Duration) {
		done(g.t, g.broker.Pause())
		lasts(length)
		done(g.t, g.broker.Resume())
	}},
	{"reset connections to the broker", func(g *stage, _ time.Duration) { g.kafka.Reset() }},
	{"lose answers of the broker", func(g *stage, length time.Duration) { g.kafka.LoseAnswers(15); lasts(length); g.kafka.Heal() }},
	{"black-hole the broker", func(g *stage, length time.Duration) { g.kafka.BlackHole(); lasts(length); g.kafka.Heal() }},
	{"slow broker", func(g *stage, length time.Duration) {
		g.kafka.Slow(100 * time.Millisecond)
		lasts(length)
		g.kafka.Heal()
	}},
}

// join starts a guest.
func (g *stage) join() {
	g.number++
	g.guests = append(g.guests, g.w.start(fmt.Sprintf("TIDEMARK_KAFKA_INSTANCE_ID=guest-%d", g.number%2)))
}

// leave ends a guest.
func (g *stage) leave(end func(*instance)) {
	n := g.rng.IntN(len(g.guests))
	i := g.guests[n]
	g.guests = append(g.guests[:n], g.guests[n+1:]...)
	i.await(`"message":"starting"`)
	end(i)
}

// stillThere wants that nobody ended by itself.
func (g *stage) stillThere() {
	g.t.Helper()
	for _, i := range append([]*instance{g.steady}, g.guests...) {
		if i.ended() {
			g.t.Fatalf("an instance ended by itself: %v\n%s", i.end, logTail(i.log))
		}
	}
}
