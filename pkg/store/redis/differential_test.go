package redis

import (
	"context"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/alicebob/miniredis/v2"
	goredis "github.com/redis/go-redis/v9"
	"github.com/rs/zerolog"

	"tidemark/deploy/testenv"
)

// TestScriptsDoTheSameOnBoth calls every script with the same arguments on
// miniredis and on Redis and compares the answers and everything stored, so that
// what the in-process suites show holds for the real server.
func TestScriptsDoTheSameOnBoth(t *testing.T) {
	t.Parallel()
	cfg := miniConfig(miniredis.RunT(t), "tm")
	cfg.Shards = 1
	mini, err := Open(t.Context(), cfg, zerolog.Nop())
	if err != nil {
		t.Fatal(err)
	}
	cfg.Addrs, cfg.Embedded = []string{testenv.StartRedisFor(t).Addr()}, false
	served, err := Open(t.Context(), cfg, zerolog.Nop())
	if err != nil {
		t.Fatal(err)
	}
	closing(t, mini, served)
	g := &generator{Rand: rand.New(rand.NewPCG(1, 2))}
	for i := range 600 {
		name, keys, args := g.call(served.keys)
		a, errA := mini.client.EvalSha(t.Context(), mini.scripts.byName(name).sha, keys, args...).Result()
		b, errB := served.client.EvalSha(t.Context(), served.scripts.byName(name).sha, keys, args...).Result()
		if !reflect.DeepEqual(a, b) || (errA == nil) != (errB == nil) {
			t.Fatalf("call %d, %s %q: miniredis %v (%v), redis %v (%v)", i, name, args, a, errA, b, errB)
		}
		if errB != nil {
			t.Fatalf("call %d, %s %q: %v", i, name, args, errB)
		}
	}
	a, b := dump(t, mini.client), dump(t, served.client)
	if !reflect.DeepEqual(a, b) {
		t.Errorf("miniredis holds\n%s\nredis holds\n%s", strings.Join(a, "\n"), strings.Join(b, "\n"))
	}
	if len(b) < 15 {
		t.Errorf("only %d values are stored: the calls do too little", len(b))
	}
}

func (s scripts) byName(name string) script {
	return map[string]script{
		"commit": s.commit, "accounts": s.accounts, "acquire": s.acquire, "release": s.release, "aliasClaim": s.aliasClaim,
		"aliasRelease": s.aliasRelease, "names": s.names, "model": s.model,
		"userSwap": s.userSwap, "places": s.places, "settle": s.settle,
	}[name]
}

// generator makes calls from few values, so that they often meet.
type generator struct {
	*rand.Rand
	entries int // so that entries of the outbox have numbers of ours
}

func (g *generator) pick(from ...string) string { return from[g.IntN(len(from))] }

func (g *generator) call(k keys) (name string, keys []string, args []any) {
	sh := k.shards[0]
	switch g.IntN(11) {
	case 0:
		return "acquire", []string{k.lease("x")}, []any{g.pick("a", "b"), "3600000"}
	case 1:
		return "release", []string{k.lease("x")}, []any{g.pick("a", "b")}
	case 2:
		return "aliasClaim", []string{sh.aliases}, []any{
			g.pick("d1", "d2"), g.pick("9", "10", "-3", "9007199254740991", "1700000000123"), g.pick("a", "b c"),
			g.pick("d3", "d1"), g.pick("8", "11"), g.pick("a", "x"),
		}
	case 3:
		return "aliasRelease", []string{sh.aliases}, []any{g.pick("a", "b c"), g.pick("d1", "d2"), "none"}
	case 4:
		return "names", []string{k.names()}, []any{g.pick("n1", "n2", "n3"), g.pick("n4", "\x00\xff")}
	case 5:
		hash, at := g.pick("h1", "h2", "h3"), g.pick("1", "2")
		return "model", []string{k.models()}, []any{hash, hash + " " + at, hash + " " + at + "\n{}"}
	case 6:
		return "userSwap", []string{sh.users(2), sh.users(1)}, []any{
			"3600000", "u1", g.pick("", "x", "y"), g.pick("", "x", "y\n\xff"), g.pick("u2", "u3"), g.pick("", "x"), g.pick("x", "y"),
		}
	case 7:
		return "accounts", []string{sh.accounts, sh.profiles}, []any{g.pick("a", "b"), g.pick("\x00\xff", "none")}
	case 8:
		account := g.pick("a", "b", "c")
		at := placeOf("hot", account)
		if g.IntN(2) == 0 {
			return "settle", []string{sh.next, sh.in(at), sh.in(place{"", 1})}, []any{at.member(), ":01"}
		}
		return "places", []string{sh.oldTier("hot"), sh.oldDue(), sh.next, sh.in(at)}, []any{"4", at.member(), account, "4", at.member(), "none"}
	default:
		keys, args := g.commit(sh)
		return "commit", keys, args
	}
}

// commit is a step as encode lays it out, with whatever positions and versions.
func (g *generator) commit(sh shardKeys) ([]string, []any) {
	version := func() string { return strings.Repeat("\x00", 7) + g.pick("\x00", "\x01", "\x02", "\xff") }
	account := g.pick("a", "b", "\x00\xff")
	next, hot := version(), placeOf(g.pick("hot", "warm", ""), account)
	e := &encoder{
		keys: []string{sh.token, sh.marks, sh.positions, sh.accounts, sh.profiles, sh.next, sh.outbox, sh.tiers, sh.in(hot)},
		args: []any{
			fmt.Sprint(g.IntN(1000)), g.pick("", "", "5"), g.pick("", "p:1:1700000000000", "q:2:1700100000000", "p:1:1700000000000!"), g.pick("p:1:1700000000000", "q:2:1700100000000", "r:3:1700100000001"), g.pick("", "1"),
			"1", "in/0", g.pick("0", "1", "2"), g.pick("0", "1", "2"),
			"1", "1", account, next + "state", g.pick("gone", "b"), version() + version(),
		},
	}
	e.write("HSET", keyProfiles, []any{account, "P"})
	e.write(g.pick("ZADD", "ZREM"), firstPlace, []any{"7", g.pick("a", "z")})
	e.write("ZADD", firstPlace, []any{g.pick("1700000000123", "-5", "9007199254740991", "+inf"), account})
	e.write("ZADD", keyNext, []any{"LT", g.pick("9", "1700000000123", "-5"), hot.member()})
	e.write("SADD", keyTiers, []any{"hot"})
	g.entries++
	e.write("XADD", keyOutbox, []any{fmt.Sprintf("%d-1", g.entries), "a", account, "v", next})
	e.write("HSET", keyPositions, []any{"in/0", g.pick("0", "1", "2")})
	return e.keys, e.args
}

// dump is everything stored, as sorted text, but for when it was made.
func dump(t *testing.T, c goredis.UniversalClient) []string {
	t.Helper()
	ctx := context.Background()
	keys, err := c.Keys(ctx, "*").Result()
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	add := func(key string, value any, err error) {
		if err != nil {
			t.Fatalf("%s: %v", key, err)
		}
		out = append(out, fmt.Sprintf("%s %q", key, value))
	}
	for _, key := range keys {
		switch kind := c.Type(ctx, key).Val(); kind {
		case "string":
			value, err := c.Get(ctx, key).Result()
			add(key, value, err)
		case "list":
			value, err := c.LRange(ctx, key, 0, -1).Result()
			add(key, value, err)
		case "set":
			value, err := c.SMembers(ctx, key).Result()
			add(key, value, err)
		case "zset":
			value, err := c.ZRangeWithScores(ctx, key, 0, -1).Result()
			add(key, fmt.Sprint(value), err)
		case "hash":
			fields, err := c.HGetAll(ctx, key).Result()
			for field, value := range fields {
				if field != "made" {
					add(key+" "+field, value, err)
				}
			}
		case "stream":
			value, err := c.XRange(ctx, key, "-", "+").Result()
			add(key, fmt.Sprint(value), err)
		default:
			t.Fatalf("%s is a %s", key, kind)
		}
	}
	slices.Sort(out)
	return out
}
