package testenv

import (
	"strings"
	"testing"
)

func TestRedisClusterSharesTheSlotsOut(t *testing.T) {
	t.Parallel()
	c := StartRedisClusterFor(t)
	if len(c.Addrs()) != 3 {
		t.Fatalf("got addresses %v, want 3", c.Addrs())
	}
	stored, moved := 0, 0
	for i := range c.Addrs() {
		_, err := c.Node(i).Do("SET", "{017}k", "v")
		switch {
		case err == nil:
			stored++
		case strings.HasPrefix(err.Error(), "MOVED "):
			moved++
		default:
			t.Errorf("node %d: %v", i, err)
		}
	}
	if stored != 1 || moved != 2 {
		t.Errorf("a key was stored by %d nodes and moved by %d, want 1 and 2", stored, moved)
	}
	if err := c.Node(0).Kill(); err != nil {
		t.Fatal(err)
	}
	if err := c.Node(0).Restart(); err != nil {
		t.Fatal(err)
	}
}

func TestRedisClusterOfTwoIsRefused(t *testing.T) {
	t.Parallel()
	if _, err := StartRedisCluster(2); err == nil {
		t.Error("got no error, want one about at least 3 nodes")
	}
}
