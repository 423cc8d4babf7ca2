package redis

import (
	"fmt"
	"strconv"
	"strings"

	"tidemark/pkg/engine"
)

// keys builds the names of all keys of a namespace. Those of a shard carry its
// number as hash tag, so that they lie in one slot of a cluster.
type keys struct {
	base       string // the configured namespace
	generation int
	namespace  string // begins every key of the generation
	shards     []shardKeys
}

// shardKeys are the keys of one shard.
type shardKeys struct {
	prefix    string
	token     string // string: who committed last
	marks     string // hash: process → number and instant of its last commit here, of those that were overtaken
	positions string // hash: topic/partition → next offset
	accounts  string // hash: account → version (8 bytes) and state
	profiles  string // hash: account → profile
	next      string // sorted set: places by the earliest due instant in them
	outbox    string // stream: a = account, v = value
	tiers     string // set: the tiers that have, or had, a listing here
	lease     string // string: owner of the shard; expires
	aliases   string // hash: domain → time and account (of domains, not of this shard's accounts)
}

// newKeys names the keys of a generation. The first has the namespace to itself;
// of the others the number is part of the names.
func newKeys(base string, generation, shards int) keys {
	namespace := base
	if generation > 1 {
		namespace = fmt.Sprintf("%s:g%d", base, generation)
	}
	k := keys{base: base, generation: generation, namespace: namespace, shards: make([]shardKeys, shards)}
	for i := range k.shards {
		p := fmt.Sprintf("%s:{%03d}:", namespace, i)
		k.shards[i] = shardKeys{
			prefix: p, token: p + "token", marks: p + "marks",
			positions: p + "positions", accounts: p + "accounts", profiles: p + "profiles",
			next: p + "next", outbox: p + "outbox", tiers: p + "tiers", lease: p + "lease", aliases: p + "aliases",
		}
	}
	return k
}

// generations and hold lie in one slot, as one script reads both.
func (k keys) generations() string      { return k.base + ":{generations}" }
func (k keys) hold() string             { return k.base + ":{generations}:hold" }
func (k keys) meta() string             { return k.namespace + ":meta" }
func (k keys) names() string            { return k.namespace + ":names" }
func (k keys) models() string           { return k.namespace + ":models" }
func (k keys) watermarks() string       { return k.namespace + ":watermarks" }
func (k keys) wake() string             { return k.namespace + ":wake" }
func (k keys) lease(name string) string { return k.namespace + ":lease:" + name }

// aliasBucket spreads domains over the shards' slots. The function is part of the
// stored layout: FNV-1a of the domain, modulo the number of shards.
func (k keys) aliasBucket(domain string) int { return int(fnv1a(domain) % uint32(len(k.shards))) }

func fnv1a(text string) uint32 {
	h := uint32(2166136261)
	for i := range len(text) {
		h = (h ^ uint32(text[i])) * 16777619
	}
	return h
}

// partitionField names a partition inside a hash. Topics hold no slash.
func partitionField(p engine.Partition) string { return p.Topic + "/" + strconv.Itoa(p.ID) }

func parsePartition(field string) (engine.Partition, error) {
	slash := strings.LastIndexByte(field, '/')
	if slash < 0 {
		return engine.Partition{}, fmt.Errorf("field %q is not topic/partition", field)
	}
	id, err := strconv.Atoi(field[slash+1:])
	if err != nil {
		return engine.Partition{}, fmt.Errorf("field %q is not topic/partition", field)
	}
	return engine.Partition{Topic: field[:slash], ID: id}, nil
}
