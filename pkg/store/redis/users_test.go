package redis

import (
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/rs/zerolog"

	"tidemark/pkg/store"
)

// A record lives on for a period after the one in which it was last swapped, and a
// swap takes it into the present one.
func TestUsersAreKeptForTwoPeriods(t *testing.T) {
	t.Parallel()
	server := miniredis.RunT(t)
	s, err := Open(t.Context(), miniConfig(server, "tm"), zerolog.Nop())
	if err != nil {
		t.Fatal(err)
	}
	closing(t, s)
	k := s.keys.shards[7%s.Shards()]
	now := period(time.Now())
	older, old, present := k.users(now-2), k.users(now-1), k.users(now)
	server.HSet(older, "\x00\x00\x00\x00\x00\x00\x00\x07", "gone")
	if got, err := s.LoadUsers(t.Context(), []uint64{7}); err != nil || got[0] != nil {
		t.Errorf("got %q (%v), want nothing of two periods ago", got, err)
	}
	server.HSet(old, "\x00\x00\x00\x00\x00\x00\x00\x07", "was")
	if got, err := s.LoadUsers(t.Context(), []uint64{7}); err != nil || string(got[0]) != "was" {
		t.Errorf("got %q (%v), want what the period before holds", got, err)
	}
	if lost, err := s.SwapUsers(t.Context(), []store.UserSwap{{Key: 7, Was: []byte("was"), Now: []byte("is")}}); err != nil || lost != nil {
		t.Fatal(lost, err)
	}
	if server.Exists(old) || server.HGet(present, "\x00\x00\x00\x00\x00\x00\x00\x07") != "is" || server.TTL(present) != 2*userPeriod {
		t.Errorf("got %v with %s to live, want the record in the present period alone, for two", server.Keys(), server.TTL(present))
	}
}
