package engine_test

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"

	"tidemark/pkg/engine"
	"tidemark/pkg/store/memory"
)

// down is a store that takes nothing before an instant.
type down struct {
	engine.Store
	until time.Time
	tries int
}

func (d *down) Commit(ctx context.Context, steps []engine.Step) []engine.Outcome {
	if time.Now().After(d.until) {
		return d.Store.Commit(ctx, steps)
	}
	d.tries++
	out := make([]engine.Outcome, len(steps))
	for i := range out {
		out[i] = engine.Outcome{Result: engine.Failed, Err: errors.New("connection refused")}
	}
	return out
}

func TestAnHourWithoutTheStoreIsTwoLines(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		s := memory.New(shards)
		d := &down{Store: s}
		e, err := engine.New(engine.Config{Lanes: 1, Accounts: 10}, compile(t, spec()), d, aliases{s}, lines{}, engine.Hooks{},
			engine.NewMetrics(prometheus.NewRegistry()), zerolog.New(&log))
		if err != nil {
			t.Fatal(err)
		}
		assign(t, e, web)
		d.until = time.Now().Add(time.Hour)
		process(t, e, round(visit(web, 0, "acme.example", start)))
		if n := strings.Count(log.String(), "\n"); n != 2 || d.tries < 1000 {
			t.Errorf("%d lines for %d attempts, want one at the beginning and one at the end:\n%s", n, d.tries, &log)
		}
	})
}
