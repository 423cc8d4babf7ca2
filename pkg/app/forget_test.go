package app

import (
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"

	"tidemark/deploy/testenv"
	"tidemark/pkg/engine"
	"tidemark/pkg/store/redis"
	"tidemark/scoring"
	"tidemark/streams/codec"
)

// An idle account leaves nothing in Redis but its tier changes, which are numbered on
// if it comes back; until then it costs nothing but a look now and then.
func TestIdleAccountsGoFromRedis(t *testing.T) {
	t.Parallel()
	server := testenv.StartRedisFor(t)
	cfg := redis.DefaultConfig()
	cfg.Namespace, cfg.Addrs, cfg.Shards = "tm", []string{server.Addr()}, 1
	s, err := redis.Open(t.Context(), cfg, zerolog.Nop())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() }) //nolint:errcheck // the test is over
	file, err := ReadModel("")
	if err != nil {
		t.Fatal(err)
	}
	m, err := Compile(file, file.Spec.Names())
	if err != nil {
		t.Fatal(err)
	}
	m.ForgetAfter(30 * scoring.Day)
	e, err := engine.New(engine.Config{Lanes: 1, Accounts: 10}, m, s, aliases{s}, codec.ChangeEncoder{Namespace: "tm"}, engine.Hooks{},
		engine.NewMetrics(prometheus.NewRegistry()), zerolog.Nop())
	if err != nil {
		t.Fatal(err)
	}
	in := engine.Partition{Topic: "in"}
	if _, err := e.Assign(t.Context(), nil, map[engine.Partition]engine.Bounds{in: {End: 10}}); err != nil {
		t.Fatal(err)
	}
	const start = int64(20_000) * scoring.Day
	event := &scoring.Event{ID: "1", Source: "t", Type: "engagement.page_view", Time: start, Arrived: start, Account: "quiet", Strength: 1}
	for _, r := range []engine.Round{
		{Inputs: []engine.Input{{Event: event, Partition: in}}, Ends: map[engine.Partition]int64{in: 1}, Watermark: start, Until: engine.UnknownWatermark},
		{Watermark: start + 30*scoring.Day - 1, Until: engine.UnknownWatermark},
	} {
		if err := e.Process(t.Context(), r); err != nil {
			t.Fatal(err)
		}
	}
	wantKeys(t, server, "HLEN", "tm:{000}:accounts", 1)
	if n, err := s.Accounts(t.Context()); n != 1 || err != nil {
		t.Errorf("%d accounts are stored (%v), want 1", n, err)
	}
	wantKeys(t, server, "ZCARD", "tm:{000}:next", 0)
	if err := e.Process(t.Context(), engine.Round{Watermark: start + 30*scoring.Day, Until: engine.UnknownWatermark}); err != nil {
		t.Fatal(err)
	}
	if more, err := e.Reap(t.Context(), s); more || err != nil {
		t.Fatal(more, err)
	}
	for command, key := range map[string]string{"HLEN": "tm:{000}:accounts", "ZCARD": "tm:{000}:next"} {
		wantKeys(t, server, command, key, 0)
	}
}

func wantKeys(t *testing.T, server *testenv.Redis, command, key string, want int64) {
	t.Helper()
	if got, err := server.Do(command, key); err != nil || got != want {
		t.Errorf("%s %s: got %v (%v), want %d", command, key, got, err, want)
	}
}
