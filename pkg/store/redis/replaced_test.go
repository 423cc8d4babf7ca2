package redis_test

import (
	"errors"
	"testing"

	"tidemark/deploy/testenv"
	"tidemark/pkg/engine"
	"tidemark/pkg/store/redis"
)

// Nothing reaches a server that was restarted before its user says so: what it held
// may be gone.
func TestAServerThatWasRestartedIsToldBeforeItIsUsed(t *testing.T) {
	t.Parallel()
	r := testenv.StartRedisFor(t)
	s := open(t, testConfig(t, r.Addr()))
	write := func(was uint64) engine.Outcome {
		return s.Commit(t.Context(), []engine.Step{{Writes: []engine.Write{{Account: "a", Was: was, State: []byte("A"), Due: engine.KeepDue}}}})[0]
	}
	restart := func() {
		t.Helper()
		if err := errors.Join(r.Kill(), r.Restart()); err != nil {
			t.Fatal(err)
		}
	}
	restart() // nobody asked to be told yet
	if out := write(0); out.Err != nil {
		t.Fatal(out.Err)
	}
	s.Accept()
	restart()
	if out := write(1); out.Result != engine.Failed || !errors.Is(out.Err, redis.ErrOtherServer) || !s.Replaced() {
		t.Errorf("a commit ended with %d, %v (replaced: %v), want %v", out.Result, out.Err, s.Replaced(), redis.ErrOtherServer)
	}
	if _, err := s.Positions(t.Context()); !errors.Is(err, redis.ErrOtherServer) {
		t.Errorf("positions: got %v, want %v", err, redis.ErrOtherServer)
	}
	s.Accept()
	if out := write(1); out.Err != nil || out.Result != engine.OK || s.Replaced() {
		t.Errorf("once accepted, a commit ended with %d, %v", out.Result, out.Err)
	}
}
