package redis

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"

	"tidemark/pkg/engine"
)

// Whoever takes the place of another writes that one's number down, also of a build that
// kept its number elsewhere, and drops what is older than a day.
func TestMarksOfOthersAreKeptForADay(t *testing.T) {
	t.Parallel()
	mini := miniredis.RunT(t)
	cfg := miniConfig(mini, "tm")
	a, _ := openFaulty(t, cfg)
	b, _ := openFaulty(t, cfg)
	closing(t, a, b)
	k := a.keys.shards[0]
	old := time.Now().Add(-25 * time.Hour).UnixMilli()
	mini.HSet(k.marks, "gone", "3:"+strconv.FormatInt(old, 10))
	if err := mini.Set(k.token, "former:5"); err != nil {
		t.Fatal(err)
	}
	c := scene{t: t, a: a, b: b}
	c.commit(a, say("1"), engine.OK)
	c.commit(a, say("2"), engine.OK)
	if mini.HGet(k.marks, "gone") != "" {
		t.Error("a mark of yesterday is still there")
	}
	if got := mini.HGet(k.marks, "former"); !strings.HasPrefix(got, "5:") {
		t.Errorf("got %q for the process of before, want its number", got)
	}
	c.commit(b, say("3"), engine.OK)
	if got := mini.HGet(k.marks, a.process); !strings.HasPrefix(got, "2:") {
		t.Errorf("got %q for the process that was overtaken, want 2", got)
	}
	if got := mini.HGet(k.marks, b.process); got != "" {
		t.Errorf("got %q for the one that was not", got)
	}
}
