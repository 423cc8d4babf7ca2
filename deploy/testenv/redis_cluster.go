package testenv

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

const clusterSlots = 16384

// RedisCluster is a Redis Cluster of masters without replicas.
type RedisCluster struct {
	nodes []*Redis
}

// StartRedisCluster starts that many masters (Redis wants at least 3), shares
// the slots out evenly and returns once every node finds the cluster whole.
func StartRedisCluster(nodes int) (_ *RedisCluster, err error) {
	if nodes < 3 {
		return nil, fmt.Errorf("start redis cluster: %d nodes, want at least 3", nodes)
	}
	c := &RedisCluster{}
	defer func() {
		if err != nil {
			err = errors.Join(err, c.Stop())
		}
	}()
	for range nodes {
		// A lost node is then the loss of its slots only.
		n, err := startRedis(RedisOptions{Config: []string{"cluster-require-full-coverage no"}}, true)
		if err != nil {
			return nil, err
		}
		c.nodes = append(c.nodes, n)
	}
	return c, c.form()
}

// form does what `redis-cli --cluster create` does, without a terminal.
func (c *RedisCluster) form() error {
	for i, n := range c.nodes {
		first, last := i*clusterSlots/len(c.nodes), (i+1)*clusterSlots/len(c.nodes)-1
		orders := [][]string{
			{"CLUSTER", "SET-CONFIG-EPOCH", strconv.Itoa(i + 1)},
			{"CLUSTER", "ADDSLOTSRANGE", strconv.Itoa(first), strconv.Itoa(last)},
		}
		if i > 0 {
			to := c.nodes[0].ports
			orders = append(orders, []string{"CLUSTER", "MEET", "127.0.0.1", strconv.Itoa(to[0]), strconv.Itoa(to[1])})
		}
		for _, o := range orders {
			if _, err := n.Do(o...); err != nil {
				return fmt.Errorf("form redis cluster: %s: %w", strings.Join(o, " "), err)
			}
		}
	}
	for _, n := range c.nodes {
		if err := n.proc.await(redisStartLimit, func(ctx context.Context) error { return c.whole(ctx, n) }); err != nil {
			return fmt.Errorf("form redis cluster: %w", err)
		}
	}
	return nil
}

func (c *RedisCluster) whole(ctx context.Context, n *Redis) error {
	reply, err := n.doContext(ctx, "CLUSTER", "INFO")
	if err != nil {
		return err
	}
	info, _ := reply.(string)
	for _, want := range []string{
		"cluster_state:ok", fmt.Sprintf("cluster_slots_ok:%d", clusterSlots), fmt.Sprintf("cluster_known_nodes:%d", len(c.nodes)),
	} {
		if !strings.Contains(info, want+"\r\n") {
			return fmt.Errorf("%s is not yet %s", n.Addr(), want)
		}
	}
	return nil
}

// Addrs is the host:port of every node, in the order of their slots.
func (c *RedisCluster) Addrs() []string {
	addrs := make([]string, len(c.nodes))
	for i, n := range c.nodes {
		addrs[i] = n.Addr()
	}
	return addrs
}

// Node is the i-th node, to kill, pause or ask. Stop the cluster, not its nodes.
func (c *RedisCluster) Node(i int) *Redis { return c.nodes[i] }

// Stop ends all nodes and removes their files. A second call does nothing.
func (c *RedisCluster) Stop() error {
	var errs []error
	for _, n := range c.nodes {
		errs = append(errs, n.Stop())
	}
	return errors.Join(errs...)
}
