package testenv

import "testing"

func TestSentinelFailsOverToTheReplica(t *testing.T) {
	t.Parallel()
	s := StartSentinelFor(t)
	old, err := s.Master()
	if err != nil {
		t.Fatal(err)
	}
	mustDo(t, old, "OK", "SET", "k", "v")
	// The kill must not overtake the write on its way to the replica.
	if n, err := old.Do("WAIT", "1", "5000"); err != nil || n != int64(1) {
		t.Fatalf("WAIT 1: %v, %v", n, err)
	}
	if err := s.Failover(); err != nil {
		t.Fatal(err)
	}
	next, err := s.Master()
	if err != nil {
		t.Fatal(err)
	}
	if next == old {
		t.Fatal("master is the killed server")
	}
	mustDo(t, next, "v", "GET", "k")
	mustDo(t, next, "OK", "SET", "k", "w")
	if err := old.Restart(); err != nil {
		t.Fatal(err)
	}
}
