package app

import (
	"context"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"

	"tidemark/pkg/engine"
	"tidemark/pkg/store/memory"
	"tidemark/streams/codec"
)

func withCancel(t *testing.T) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	return ctx, cancel
}

// heldBack is a pump with an account that was due an hour ago, by a watermark
// that another instance holds back.
func heldBack(t *testing.T) *pump {
	t.Helper()
	return pumpDue(t, -time.Hour)
}

// pumpDue is a pump with an account that is due so much later.
func pumpDue(t *testing.T, later time.Duration) *pump {
	t.Helper()
	file, err := ReadModel("")
	if err != nil {
		t.Fatal(err)
	}
	m, err := Compile(file, file.Spec.Names())
	if err != nil {
		t.Fatal(err)
	}
	s := memory.New(1)
	e, err := engine.New(engine.Config{}, m, s, aliases{s}, codec.ChangeEncoder{}, engine.Hooks{},
		engine.NewMetrics(prometheus.NewRegistry()), zerolog.Nop())
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now().UnixMilli()
	step := engine.Step{Writes: []engine.Write{{Account: "acme.example", State: []byte{0}, Due: now + later.Milliseconds()}}}
	if out := s.Commit(t.Context(), []engine.Step{step}); out[0].Result != engine.OK {
		t.Fatalf("got %+v", out[0])
	}
	if err := e.RefreshDue(t.Context()); err != nil {
		t.Fatal(err)
	}
	return &pump{engine: e, fences: &fences{engine: e}, look: 200 * time.Millisecond, now: func() int64 { return time.Now().UnixMilli() }}
}
