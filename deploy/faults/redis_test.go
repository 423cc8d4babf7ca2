package faults

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"tidemark/deploy/testenv"
)

func redisFaults() []fault {
	return []fault{
		{"Redis killed and restarted", true, "serve waits, is not ready, and goes on; nothing is read again", redisKilled},
		{"Redis stopped for 8 s (SIGSTOP)", false, "calls time out with an unknown outcome and are repeated; what was done already is not done again", redisStopped},
		{"Redis black-holed for 8 s", false, "as when stopped; requests that arrive late change nothing", redisBlackHole},
		{"Redis connections reset", false, "each call is repeated; a commit whose answer was lost is found done", redisReset},
		{"Redis answers lost", true, "as when reset: the script ran, the answer is gone", redisAnswersLost},
		{"Redis slow", false, "scoring slows down and stays right", redisSlow},
		{"Redis script cache flushed", false, "scripts are loaded again at once", scriptFlush},
		{"Redis out of memory", true, "no step is half done, no dead letter is written; goes on when there is room", outOfMemory},
		{"Redis cannot write to its disk (MISCONF)", false, "as when out of memory: reads work, no step is half done, no dead letter is written", cannotPersist},
		{"Redis busy with a long script (BUSY)", false, "calls are refused and repeated", busyScript},
		{"Redis answers as a read-only replica", false, "writes are repeated until the failover is over", readOnly},
		{"Redis set back, serve running (end of the AOF cut)", true, "noticed as a rewind; read again from there and reconciled with what was published", setBack},
		{"Redis set back again and again, three instances running", true, "who has not noticed may score on at once; what was published stands, whoever publishes next", setBackAmong},
		{"power cut: Redis and serve killed, end of the AOF cut", false, "the next start notices and reconciles; no seq has two meanings", powerCut},
		{"Redis wiped while serve is down", true, "refuses to start from nothing, in words", wiped},
		{"Redis wiped while serve runs", true, "notices, and ends rather than begin anew in silence", wipedRunning},
		{"Redis may evict", true, "refuses to start: maxmemory-policy", evicts},
		{"failover in a Sentinel set", false, "follows the new master; what replication lost is a rewind", sentinelFailover},
		{"node of a Redis Cluster killed and restarted", false, "its shards wait, the others go on", clusterNode},
		{"failover in a Redis Cluster", false, "follows the promoted replica; what replication lost is a rewind", clusterFailover},
	}
}

// longestRecovery is generous: a session of the group may have to time out, on a
// machine that is busy with other faults.
const longestRecovery = 30 * time.Second

// harm runs traffic through one instance, does something to it in the middle, and
// verifies what is left.
func (w *world) harm(s *seen, seed uint64, do func(i *instance)) {
	w.t.Helper()
	i := w.serve()
	tr := w.traffic(usualMix(seed))
	w.flowing(50)
	do(i)
	if s.recovered = w.fresh(); s.recovered > longestRecovery {
		w.t.Errorf("a fresh event was scored %s after the fault's end, want at most %s", s.recovered, longestRecovery)
	}
	w.flowing(50)
	tr.stop()
	r := w.verified()
	s.figure("%d events, %d tier changes, %d repeats, %d dead letters of %d", r.Events, r.Changes, r.Repeats, r.Letters, r.Unusable)
	if rewinds := i.sum("tidemark_rewinds_total"); rewinds > 0 {
		s.figure("%v rewinds", rewinds)
	} else {
		i.sums(w)
	}
	i.stop()
}

// unready wants /readyz to say no while a fault lasts.
func (i *instance) unready() {
	i.t.Helper()
	eventually(i.t, 20*time.Second, func() error {
		if ok, why := i.ready(); ok {
			return errors.New("/readyz still says " + why)
		}
		return nil
	})
}

// done wants no error of what a fault is made of.
func done(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func command(t testing.TB, r *testenv.Redis, args ...string) {
	t.Helper()
	_, err := r.Do(args...)
	done(t, err)
}

// proxied is a deployment with a proxy before a Redis of its own.
func proxied(t *testing.T) (*world, *Proxy) {
	t.Helper()
	r := testenv.StartRedisFor(t)
	p, err := NewProxy(0, r.Addr())
	done(t, err)
	t.Cleanup(func() { done(t, p.Close()) })
	return newWorld(t, setup{redis: []string{r.Addr()}, env: []string{"TIDEMARK_REDIS_ADDRS=" + p.Addr()}}), p
}

func redisKilled(t *testing.T, s *seen) {
	r := testenv.StartRedisFor(t)
	w := newWorld(t, setup{redis: []string{r.Addr()}})
	w.harm(s, 21, func(i *instance) {
		done(t, r.Kill())
		i.unready()
		lasts(2 * time.Second)
		done(t, r.Restart())
	})
}

func redisStopped(t *testing.T, s *seen) {
	r := testenv.StartRedisFor(t)
	w := newWorld(t, setup{redis: []string{r.Addr()}})
	w.harm(s, 22, func(i *instance) {
		done(t, r.Pause())
		i.unready()
		lasts(8 * time.Second)
		done(t, r.Resume())
	})
}

func redisBlackHole(t *testing.T, s *seen) {
	w, p := proxied(t)
	w.harm(s, 23, func(i *instance) {
		p.BlackHole()
		i.unready()
		lasts(8 * time.Second)
		p.Heal()
	})
}

func redisReset(t *testing.T, s *seen) {
	w, p := proxied(t)
	w.harm(s, 24, func(*instance) {
		for range 20 {
			p.Reset()
			lasts(200 * time.Millisecond)
		}
	})
}

func redisAnswersLost(t *testing.T, s *seen) {
	w, p := proxied(t)
	w.harm(s, 25, func(*instance) {
		p.LoseAnswers(7)
		lasts(4 * time.Second)
		p.Heal()
	})
	s.figure("%d answers lost", p.Lost())
}

func redisSlow(t *testing.T, s *seen) {
	w, p := proxied(t)
	w.harm(s, 26, func(*instance) {
		p.Slow(250 * time.Millisecond)
		lasts(8 * time.Second)
		p.Heal()
	})
}

func scriptFlush(t *testing.T, s *seen) {
	r := testenv.StartRedisFor(t)
	w := newWorld(t, setup{redis: []string{r.Addr()}})
	w.harm(s, 27, func(*instance) {
		for range 10 {
			command(t, r, "SCRIPT", "FLUSH")
			lasts(200 * time.Millisecond)
		}
	})
}

func outOfMemory(t *testing.T, s *seen) {
	r := testenv.StartRedisFor(t)
	w := newWorld(t, setup{redis: []string{r.Addr()}})
	w.harm(s, 28, func(*instance) {
		command(t, r, "CONFIG", "SET", "maxmemory", "1")
		lasts(4 * time.Second)
		command(t, r, "CONFIG", "SET", "maxmemory", "0")
	})
}

// cannotPersist lets a snapshot fail, after which Redis refuses writes. A directory
// where the file should be stands for a full disk.
func cannotPersist(t *testing.T, s *seen) {
	r := testenv.StartRedisFor(t)
	w := newWorld(t, setup{redis: []string{r.Addr()}})
	obstacle := filepath.Join(r.Dir(), "dump.rdb")
	snapshot := func(want string) {
		eventually(t, 30*time.Second, func() error {
			_, err := r.Do("BGSAVE") // one may be under way
			if err == nil || strings.Contains(err.Error(), "in progress") {
				err = in(r, "persistence", "rdb_last_bgsave_status:"+want)
			}
			return err
		})
	}
	w.harm(s, 37, func(i *instance) {
		done(t, os.Mkdir(obstacle, 0o700))
		command(t, r, "CONFIG", "SET", "save", "3600 1000000")
		snapshot("err")
		_, err := r.Do("SET", "refused", "1")
		if err == nil || !strings.Contains(err.Error(), "MISCONF") {
			t.Fatalf("a write was answered with %v, want MISCONF", err)
		}
		lasts(4 * time.Second)
		done(t, os.Remove(obstacle))
		snapshot("ok")
	})
}

// busyScript lets somebody else's script run for long, three times.
func busyScript(t *testing.T, s *seen) {
	r := testenv.StartRedisFor(t)
	w := newWorld(t, setup{redis: []string{r.Addr()}})
	w.harm(s, 38, func(*instance) {
		command(t, r, "CONFIG", "SET", "lua-time-limit", "100")
		const script = "local t = redis.call('TIME')[1] + 2 while redis.call('TIME')[1] + 0 < t do end return 'done'"
		for range 3 {
			command(t, r, "EVAL", script, "0")
			lasts(300 * time.Millisecond)
		}
	})
}

func readOnly(t *testing.T, s *seen) {
	r := testenv.StartRedisFor(t)
	w := newWorld(t, setup{redis: []string{r.Addr()}})
	w.harm(s, 29, func(*instance) {
		command(t, r, "REPLICAOF", "127.0.0.1", "1") // nobody is there: it keeps its data
		lasts(4 * time.Second)
		command(t, r, "REPLICAOF", "NO", "ONE")
	})
}

// setBack cuts off what Redis wrote last, more than what the group committed.
func setBack(t *testing.T, s *seen) {
	r := testenv.StartRedisFor(t)
	w := newWorld(t, setup{redis: []string{r.Addr()}})
	w.harm(s, 30, func(i *instance) {
		w.flowing(300)
		done(t, r.Kill())
		cut := min(aofSize(t, r)/3, 400_000)
		done(t, r.CutAOF(cut))
		done(t, r.Restart())
		s.figure("%d bytes cut", cut)
	})
}

// setBackAmong does it to three instances, of which some have nothing cut off that
// they could notice, with many accounts about to cross.
func setBackAmong(t *testing.T, s *seen) {
	r := testenv.StartRedisFor(t)
	w := newWorld(t, setup{redis: []string{r.Addr()}})
	var all []*instance
	for n := range 3 {
		all = append(all, w.serve(fmt.Sprintf("TIDEMARK_KAFKA_INSTANCE_ID=member-%d", n)))
	}
	tr := w.traffic(usualMix(33))
	rng := rand.New(rand.NewPCG(33, 1))
	times := 6
	if everything() {
		times = 25
	}
	for range times {
		w.flowing(150)
		done(t, r.Kill())
		done(t, r.CutAOF(min(aofSize(t, r)/3, 2_000+rng.Int64N(120_000))))
		done(t, r.Restart())
	}
	s.recovered = w.fresh()
	w.flowing(50)
	tr.stop()
	report := w.verified()
	s.figure("%d times, %d events, %d tier changes, %d repeats", times, report.Events, report.Changes, report.Repeats)
	for _, i := range all {
		i.stop()
	}
}

// powerCut is the same with serve dead too, again and again with other lengths: a
// short one is within what the group committed, a long one is not.
func powerCut(t *testing.T, s *seen) {
	r := testenv.StartRedisFor(t)
	w := newWorld(t, setup{redis: []string{r.Addr()}})
	tr := w.traffic(usualMix(31))
	for _, cut := range []int64{200, 5_000, 40_000, 300_000} {
		i := w.serve()
		w.flowing(250)
		i.signal(syscall.SIGKILL)
		i.wait(5 * time.Second)
		done(t, r.Kill())
		cut = min(cut, aofSize(t, r)/3)
		done(t, r.CutAOF(cut))
		done(t, r.Restart())
		s.figure("%d bytes cut", cut)
	}
	i := w.serve()
	s.recovered = w.fresh()
	w.flowing(50)
	tr.stop()
	report := w.verified()
	s.figure("%d events, %d tier changes, %d repeats", report.Events, report.Changes, report.Repeats)
	i.stop()
}

// aofSize is how many bytes the append-only file has.
func aofSize(t testing.TB, r *testenv.Redis) (size int64) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(r.Dir(), "appendonlydir", "*.incr.aof"))
	done(t, err)
	for _, f := range files {
		info, err := os.Stat(f)
		done(t, err)
		size += info.Size()
	}
	return size
}

func wiped(t *testing.T, s *seen) {
	r := testenv.StartRedisFor(t)
	w := newWorld(t, setup{redis: []string{r.Addr()}})
	i := w.serve()
	tr := w.traffic(usualMix(32))
	w.flowing(50)
	tr.stop()
	i.stop()
	command(t, r, "FLUSHALL")
	w.start().refuses("the store is empty", "restore Redis")
	s.figure("exit code 1")
}

func wipedRunning(t *testing.T, s *seen) {
	r := testenv.StartRedisFor(t)
	w := newWorld(t, setup{redis: []string{r.Addr()}})
	i := w.serve()
	tr := w.traffic(usualMix(33))
	w.flowing(50)
	before := w.published()
	command(t, r, "FLUSHALL")
	i.refuses("the store is empty")
	tr.stop()
	s.figure("exit code 1; %d tier changes before, %d after", before, w.published())
}

func evicts(t *testing.T, s *seen) {
	r := testenv.StartRedisFor(t, testenv.RedisOptions{Config: []string{"maxmemory-policy allkeys-lru"}})
	w := newWorld(t, setup{redis: []string{r.Addr()}})
	w.start().refuses("maxmemory-policy", "noeviction")
	s.figure("exit code 1")
}

func sentinelFailover(t *testing.T, s *seen) {
	set := testenv.StartSentinelFor(t)
	w := newWorld(t, setup{redis: set.Addrs(), env: []string{"TIDEMARK_REDIS_SENTINEL_MASTER=" + set.MasterName()}})
	w.harm(s, 34, func(*instance) {
		begun := time.Now()
		done(t, set.Failover())
		s.figure("failover in %.1f s", time.Since(begun).Seconds())
	})
}

func clusterNode(t *testing.T, s *seen) {
	c := testenv.StartRedisClusterFor(t)
	w := newWorld(t, setup{redis: c.Addrs()})
	w.harm(s, 35, func(*instance) {
		done(t, c.Node(1).Kill())
		lasts(5 * time.Second)
		done(t, c.Node(1).Restart())
	})
}

// clusterFailover gives a cluster's node a replica and kills the node for good.
func clusterFailover(t *testing.T, s *seen) {
	c := testenv.StartRedisClusterFor(t)
	bus, err := testenv.FreePort()
	done(t, err)
	t.Cleanup(func() { testenv.ReleasePort(bus) })
	replica := testenv.StartRedisFor(t, testenv.RedisOptions{Config: []string{
		"cluster-enabled yes", "cluster-node-timeout 2000", "cluster-port " + strconv.Itoa(bus), "cluster-require-full-coverage no",
	}})
	host, port, _ := strings.Cut(replica.Addr(), ":")
	command(t, c.Node(0), "CLUSTER", "MEET", host, port, strconv.Itoa(bus))
	id, err := c.Node(0).Do("CLUSTER", "MYID")
	done(t, err)
	eventually(t, 30*time.Second, func() error {
		_, err := replica.Do("CLUSTER", "REPLICATE", id.(string))
		return err
	})
	eventually(t, 30*time.Second, func() error { return in(replica, "replication", "master_link_status:up") })
	w := newWorld(t, setup{redis: append(c.Addrs()[1:], replica.Addr())})
	w.harm(s, 36, func(*instance) {
		begun := time.Now()
		done(t, c.Node(0).Kill())
		eventually(t, 30*time.Second, func() error { return in(replica, "replication", "role:master") })
		s.figure("failover in %.1f s", time.Since(begun).Seconds())
	})
}

// in wants a line of a section of INFO.
func in(r *testenv.Redis, section, line string) error {
	reply, err := r.Do("INFO", section)
	if info, _ := reply.(string); err == nil && !strings.Contains(info, line) {
		return errors.New("not yet " + line)
	}
	return err
}
