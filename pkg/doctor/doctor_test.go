package doctor

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"
)

// sound is a deployment of which everything is OK.
func sound() Facts {
	rights := Rights{Known: true, Read: true, Write: true, Describe: true}
	topic := func(name string, kind Kind, policy string) Topic {
		return Topic{Name: name, Kind: kind, Partitions: 12, Copies: 3, Rights: rights, Settings: map[string]string{
			"min.insync.replicas": "2", "cleanup.policy": policy, "retention.ms": "-1", "retention.bytes": "-1",
		}}
	}
	return Facts{
		Kafka: Kafka{
			Brokers: []Broker{{Addr: "k:9092"}}, Group: rights, GroupName: "tidemark", Addr: "k:9092",
			Topics: []Topic{
				topic("events", Input, "delete"), topic("profiles", Profiles, "compact"), topic("outcomes", Outcomes, "delete"),
				topic("changes", Changes, "delete"), topic("tiers", Tiers, "compact"), topic("letters", Letters, "delete"),
			},
		},
		Redis: Redis{Stored: 10_000, Bytes: 4_000_000, Servers: []Server{{
			Addr: "r:6379", Version: "7.2.4", Mode: "standalone", Role: "master", Policy: "noeviction", AOF: "1", Fsync: "everysec",
			LastWrite: "ok", LastRewrite: "ok", MaxMemory: 1 << 30, UsedMemory: 8 << 20,
		}}},
		Model:  Model{Name: "m", Hash: "h", InForce: "h", Reviewed: time.Date(2026, 9, 1, 0, 0, 0, 0, time.UTC), Every: 90 * 24 * time.Hour},
		MaxAge: 400 * 24 * time.Hour, Tolerance: 5 * time.Minute, PeopleKeyed: true, Lag: Lag{What: "OK"},
		Now: time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC),
	}
}

func TestASoundDeploymentIsOK(t *testing.T) {
	t.Parallel()
	for _, f := range Examine(sound()) {
		if f.Level != OK || f.Why != "" || f.Do != "" {
			t.Errorf("%+v", f)
		}
	}
}

// Each row makes one thing wrong, and that alone is found.
func TestFindings(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name   string
		change func(f *Facts)
		level  Level
		check  string
		says   string
	}{
		{"no leader", func(f *Facts) { f.Kafka.Topics[0].Leaderless = 2 }, Fail, "topic.leaders", "2 of 12"},
		{"not in sync", func(f *Facts) { f.Kafka.Topics[0].Lagging = 1 }, Warn, "topic.in_sync", "not in sync"},
		{"one in sync is enough", set(0, "min.insync.replicas", "1"), Warn, "topic.copies", "min.insync.replicas=2"},
		{"all must be in sync", set(0, "min.insync.replicas", "3"), Warn, "topic.copies", "stops all writes"},
		{"more than there are", set(3, "min.insync.replicas", "4"), Fail, "topic.copies", "refused"},
		{"copies are not told", set(3, "min.insync.replicas", ""), Unknown, "topic.copies", "not told"},
		{"retention is not told", set(3, "retention.ms", ""), Unknown, "topic.retention", "not told"},
		{"kept for a week", set(0, "retention.ms", "604800000"), Warn, "topic.retention", "7 d"},
		{"changes kept for a week", set(3, "retention.ms", "604800000"), OK, "topic.retention", "7 d"},
		{"changes kept for a day", set(3, "retention.ms", "86400000"), Fail, "topic.retention", "1 d"},
		{"settings are not told", func(f *Facts) { f.Kafka.Topics[0].Settings, f.Kafka.Topics[0].SettingsErr = nil, errors.New("no") }, Unknown, "topic.settings", "DescribeConfigs"},
		{"rights are not told", func(f *Facts) { f.Kafka.Topics[0].Rights = Rights{} }, Unknown, "topic.rights", "--list"},
		{"the group's rights are not told", func(f *Facts) { f.Kafka.Group = Rights{} }, Unknown, "group.rights", "--list"},
		{"old Redis", func(f *Facts) { f.Redis.Servers[0].Version = "6.2.1" }, Fail, "redis.version", "7.0"},
		{"a node of a cluster", func(f *Facts) { f.Redis.Servers[0].Mode = "cluster" }, Fail, "redis.mode", "redis.addrs"},
		{"a replica", func(f *Facts) { f.Redis.Servers[0].Role = "slave" }, Fail, "redis.role", "master"},
		{"loading", func(f *Facts) { f.Redis.Servers[0].Loading = true }, Fail, "redis.loading", "wait"},
		{"evicted", func(f *Facts) { f.Redis.Servers[0].Evicted = 3 }, Fail, "redis.eviction", "tidemark rebuild"},
		{"policy is not told", func(f *Facts) { f.Redis.Servers[0].Policy = "" }, Fail, "redis.eviction", "+info"},
		{"the disk is full", func(f *Facts) { f.Redis.Servers[0].LastWrite = "err" }, Fail, "redis.aof", "disk"},
		{"no rewrite", func(f *Facts) { f.Redis.Servers[0].LastRewrite = "err" }, Warn, "redis.aof", "BGREWRITEAOF"},
		{"nearly full", func(f *Facts) { f.Redis.Servers[0].UsedMemory = 900 << 20 }, Warn, "redis.memory", "maxmemory"},
		{"too many accounts", func(f *Facts) { f.Accounts = 3_000_000 }, Fail, "redis.memory", "400 bytes an account as measured"},
		{"a clock is off", func(f *Facts) { f.Redis.Servers[0].Ahead = -3 * time.Second }, Warn, "clock", "set-ntp"},
		{"a slow answer excuses a clock", func(f *Facts) { f.Redis.Servers[0].Ahead, f.Redis.Servers[0].Within = 2*time.Second, 2*time.Second }, OK, "clock", "2s"},
		{"a clock is far off", func(f *Facts) { f.Redis.Servers[0].Ahead = time.Hour }, Fail, "clock", "set-ntp"},
		{"a clock is not told", func(f *Facts) { f.Redis.Servers[0].Within = -1 }, Unknown, "clock", "TIME"},
		{"late", func(f *Facts) { f.Lag = Lag{Level: Fail, What: "STOP", Do: "tidemark lag"} }, Fail, "lag", "STOP"},
		{"review is due", func(f *Facts) { f.Now = f.Now.AddDate(1, 0, 0) }, Warn, "model.review", "due since 2026-11-30"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			facts := sound()
			row.change(&facts)
			found := false
			for _, f := range Examine(facts) {
				hit := f.Level == row.level && f.Check == row.check && strings.Contains(f.What+f.Why+f.Do, row.says)
				found = found || hit
				if f.Level != OK && (!hit || f.Why == "" || f.Do == "") {
					t.Errorf("unexpected, or without a way out: %+v", f)
				}
			}
			if !found {
				t.Errorf("no %s %s that says %q", row.level, row.check, row.says)
			}
		})
	}
}

func set(topic int, key, value string) func(f *Facts) {
	return func(f *Facts) { f.Kafka.Topics[topic].Settings[key] = value }
}

func TestWriteEndsWithASum(t *testing.T) {
	t.Parallel()
	facts := sound()
	facts.PeopleKeyed = false
	var text bytes.Buffer
	if err := Write(&text, Examine(facts)); err != nil {
		t.Fatal(err)
	}
	if got := text.String(); !strings.Contains(got, "WARN people.secret people: not set\n  why: ") || !strings.HasSuffix(got, "0 FAIL, 1 WARN, 0 UNKNOWN, 38 OK\n") {
		t.Errorf("got\n%s", got)
	}
}

func TestRightsOfEachKind(t *testing.T) {
	t.Parallel()
	for kind, want := range map[Kind][2]bool{
		Input: {true, false}, Profiles: {true, false}, Outcomes: {false, false}, Changes: {false, true}, Followed: {true, true}, Tiers: {true, true},
		Letters: {true, true}, Steps: {true, true}, Feeds: {false, true},
	} {
		if read, write := needs(kind); read != want[0] || write != want[1] {
			t.Errorf("kind %d: read %v, write %v, want %v", kind, read, write, want)
		}
	}
}
