package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"net"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"

	"tidemark/deploy/testenv"
	"tidemark/pkg/doctor"
)

// examined is what doctor finds.
type examined struct {
	t        *testing.T
	code     int
	findings []doctor.Finding
	text     string
}

func (w *world) doctor(t *testing.T, args ...string) examined {
	t.Helper()
	e := examined{t: t}
	run := func(args ...string) (int, string) {
		var out, stderr bytes.Buffer
		code := run(&streams{ctx: t.Context(), in: strings.NewReader(""), out: &out, err: &stderr, environ: w.env}, append([]string{"doctor", "--window", "1s"}, args...))
		if code == exitFailed || code == exitUsage {
			t.Fatalf("doctor: exit %d\n%s", code, stderr.String())
		}
		return code, out.String()
	}
	var raw string
	e.code, raw = run(append(args, "--json")...)
	if err := json.Unmarshal([]byte(raw), &e.findings); err != nil {
		t.Fatalf("%v in %s", err, raw)
	}
	_, e.text = run(args...)
	return e
}

// want wants a finding of a level that says something; each that is not OK has its reason
// and its way out.
func (e examined) want(level doctor.Level, check, subject, says string) {
	e.t.Helper()
	for _, f := range e.findings {
		if f.Level > doctor.OK && (f.Why == "" || f.Do == "") {
			e.t.Errorf("%+v has no reason or no way out", f)
		}
		if f.Level == level && f.Check == check && strings.HasSuffix(f.Subject, subject) && strings.Contains(f.What+f.Why+f.Do, says) {
			return
		}
	}
	e.t.Errorf("no %s %s of %s that says %q among\n%s", level, check, subject, says, e.text)
}

// A deployment as `topics create` and `serve` make it has no FAIL.
func TestDoctorOfASoundDeployment(t *testing.T) {
	t.Parallel()
	w := newWorld(t, servers.Kafka(t).Addr(), servers.Redis(t).Addr(), "", 2)
	before := w.doctor(t)
	before.want(doctor.OK, "model.in_force", "", "no model is in force yet")
	w.serve()
	w.drained()
	e := w.doctor(t, "--accounts", "1000")
	if worst := doctor.Worst(e.findings); worst != doctor.Warn || e.code != exitWarned {
		t.Errorf("worst %s, exit %d: want WARN and 4 (one broker, one copy, no secret)\n%s", worst, e.code, e.text)
	}
	topics := w.cfg.Kafka.Topics
	for _, row := range []struct {
		level                doctor.Level
		check, subject, says string
	}{
		{doctor.OK, "kafka.reach", w.cfg.Kafka.Brokers[0], "answers"},
		{doctor.OK, "topic.exists", topics.Intent, "2 partitions"},
		{doctor.OK, "topic.cleanup", topics.AccountTiers, "compact"},
		{doctor.OK, "topic.cleanup", topics.TierChanges, "delete"},
		{doctor.OK, "topic.retention", topics.Intent, "400 d"},
		{doctor.Warn, "topic.copies", topics.Intent, "one copy"},
		{doctor.OK, "topic.rights", topics.DeadLetters, "all that serve needs"},
		{doctor.OK, "group.rights", "", "all that serve needs"},
		{doctor.OK, "redis.version", "", "7."},
		{doctor.OK, "redis.eviction", "", "noeviction"},
		{doctor.OK, "redis.aof", "", "appendonly yes"},
		{doctor.OK, "redis.fsync", "", "everysec"},
		{doctor.OK, "clock", "", "of this machine"},
		{doctor.OK, "lag", "", "OK: 0 records"},
		{doctor.OK, "model.review", "abm-reference", "reviewed on"},
		{doctor.OK, "model.in_force", "abm-reference", "in force"},
		{doctor.Warn, "people.secret", "", "not set"},
	} {
		e.want(row.level, row.check, row.subject, row.says)
	}
}

// Each topic is wrong in a way of its own.
func TestDoctorOfWrongTopics(t *testing.T) {
	t.Parallel()
	server := servers.Kafka(t)
	w := newWorld(t, server.Addr(), servers.Redis(t).Addr(), "", 1)
	another := func(key string, settings map[string]string) string {
		name := testenv.Name(t, "wrong")
		w.env = override(w.env, []string{"TIDEMARK_KAFKA_TOPICS_" + key + "=" + name})
		if settings != nil {
			if err := server.CreateTopic(name, 1, settings); err != nil {
				t.Fatal(err)
			}
		}
		return name
	}
	intent := another("INTENT", map[string]string{"retention.ms": "86400000"})
	engagement := another("ENGAGEMENT", map[string]string{"retention.ms": "864000000", "cleanup.policy": "compact"})
	profiles := another("PROFILES", map[string]string{"cleanup.policy": "delete"})
	outcomes := another("OUTCOMES", nil)
	changes := another("TIER_CHANGES", map[string]string{"min.insync.replicas": "2", "cleanup.policy": "compact"})
	tiers := another("ACCOUNT_TIERS", map[string]string{"cleanup.policy": "compact,delete"})
	letters := another("DEAD_LETTERS", map[string]string{"retention.bytes": "1000000"})
	e := w.doctor(t)
	e.want(doctor.Fail, "topic.retention", intent, "long weekend")
	e.want(doctor.Warn, "topic.retention", engagement, "events.max_age")
	e.want(doctor.Fail, "topic.cleanup", engagement, "cleanup.policy=delete")
	e.want(doctor.Fail, "topic.cleanup", profiles, "cleanup.policy=compact")
	e.want(doctor.Warn, "topic.exists", outcomes, "tidemark topics create")
	e.want(doctor.Fail, "topic.copies", changes, "every write with acks=all is refused")
	e.want(doctor.Fail, "topic.cleanup", changes, "cleanup.policy=delete")
	e.want(doctor.Fail, "topic.cleanup", tiers, "compact,delete")
	e.want(doctor.Warn, "topic.retention", letters, "retention.bytes")
	if e.code != exitFound {
		t.Errorf("exit %d, want 3", e.code)
	}
	another("INTENT", nil)
	w.doctor(t).want(doctor.Fail, "topic.exists", "", "serve does not start without it")
}

func TestDoctorOfAWrongRedis(t *testing.T) {
	t.Parallel()
	redis := testenv.StartRedisFor(t, testenv.RedisOptions{Config: []string{"appendonly no", "appendfsync no", "maxmemory 100mb", "maxmemory-policy allkeys-lru"}})
	w := newWorld(t, servers.Kafka(t).Addr(), redis.Addr(), "", 1)
	e := w.doctor(t, "--accounts", "1000000")
	e.want(doctor.Fail, "redis.eviction", redis.Addr(), "allkeys-lru")
	e.want(doctor.Fail, "redis.aof", redis.Addr(), "appendonly is no")
	e.want(doctor.Fail, "redis.memory", "", "1000000 accounts (480 bytes")

	for _, c := range [][]string{{"appendonly", "yes"}, {"maxmemory-policy", "noeviction"}, {"maxmemory", "0"}} {
		if _, err := redis.Do("CONFIG", "SET", c[0], c[1]); err != nil {
			t.Fatal(err)
		}
	}
	e = w.doctor(t)
	e.want(doctor.Warn, "redis.fsync", redis.Addr(), "appendfsync is no")
	e.want(doctor.Warn, "redis.memory", "", "maxmemory is not set")

	// The least of users is told what cannot be known, and no more.
	if _, err := redis.Do("ACL", "SETUSER", "least", "on", ">secret", "~"+w.cfg.Namespace+":*", "&"+w.cfg.Namespace+":*", "-@all", "+@read", "+@write", "+@connection", "+@scripting", "+@transaction", "+@pubsub", "-@dangerous", "+info"); err != nil {
		t.Fatal(err)
	}
	w.env = override(w.env, []string{"TIDEMARK_REDIS_USERNAME=least", "TIDEMARK_REDIS_PASSWORD=secret"})
	e = w.doctor(t)
	e.want(doctor.Unknown, "redis.fsync", redis.Addr(), "CONFIG GET")
	e.want(doctor.OK, "redis.aof", redis.Addr(), "appendonly yes")
	e.want(doctor.OK, "clock", redis.Addr(), "of this machine")

	if err := redis.Kill(); err != nil {
		t.Fatal(err)
	}
	e = w.doctor(t)
	e.want(doctor.Fail, "redis.reach", "redis.addrs", redis.Addr())
	e.want(doctor.Warn, "lag", "", "Redis does not answer")
}

// Nobody is at either place.
func TestDoctorOfBrokersThatAreAway(t *testing.T) {
	t.Parallel()
	port, err := testenv.FreePort()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { testenv.ReleasePort(port) })
	away := net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
	w := newWorld(t, servers.Kafka(t).Addr(), servers.Redis(t).Addr(), "", 1)
	w.env = override(w.env, []string{"TIDEMARK_KAFKA_BROKERS=" + w.cfg.Kafka.Brokers[0] + "," + away})
	e := w.doctor(t)
	e.want(doctor.OK, "kafka.reach", w.cfg.Kafka.Brokers[0], "answers")
	e.want(doctor.Fail, "kafka.reach", away, "advertised.listeners")
	w.env = override(w.env, []string{"TIDEMARK_KAFKA_BROKERS=" + away})
	e = w.doctor(t)
	e.want(doctor.Fail, "kafka.reach", away, "kafka.brokers")
	e.want(doctor.Unknown, "lag", "", "kafka.brokers")
}

// What the model says of its review, another model than the one in force, a secret.
func TestDoctorOfAModel(t *testing.T) {
	t.Parallel()
	w := newWorld(t, servers.Kafka(t).Addr(), servers.Redis(t).Addr(), writeModel(t, attendance+"reviewed: 2020-01-01\nreview_every: 30d\n"), 1)
	i := w.serve()
	w.drained()
	i.kill()
	e := w.doctor(t)
	e.want(doctor.Warn, "model.review", "attendance", "reviewed on 2020-01-01")
	e.want(doctor.Warn, "model.advice", "attendance", "tidemark model check")
	w.env = override(w.env, []string{"TIDEMARK_MODEL=" + writeModel(t, attendance), "TIDEMARK_PEOPLE_SECRET=0123456789abcdef0123456789abcdef"})
	e = w.doctor(t)
	e.want(doctor.Warn, "model.in_force", "attendance", "another model is in force")
	e.want(doctor.OK, "people.secret", "", "set")
	e.want(doctor.Warn, "model.review", "attendance", "does not say when")
	w.env = override(w.env, []string{"TIDEMARK_MODEL=" + writeModel(t, "name: broken\n")})
	w.doctor(t).want(doctor.Fail, "model", "model", "tidemark model check")
}

// Rights as they are in deploy/README.md, and one too few.
func TestDoctorOfRights(t *testing.T) {
	t.Parallel()
	server := testenv.StartKafkaFor(t, testenv.KafkaOptions{Secure: true, Config: []string{
		"authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer", "super.users=User:ANONYMOUS",
	}})
	w := newWorld(t, server.Addr(), servers.Redis(t).Addr(), "", 1)
	w.env = override(w.env, []string{
		"TIDEMARK_KAFKA_BROKERS=" + server.SecureAddr(), "TIDEMARK_KAFKA_TLS_ENABLED=true", "TIDEMARK_KAFKA_TLS_CA_FILE=" + server.CAFile(),
		"TIDEMARK_KAFKA_SASL_MECHANISM=plain", "TIDEMARK_KAFKA_SASL_USERNAME=" + server.User(), "TIDEMARK_KAFKA_SASL_PASSWORD=" + server.Password(),
	})
	e := w.doctor(t)
	e.want(doctor.Fail, "topic.rights", w.cfg.Kafka.Topics.Intent, "may not Describe, Read")
	e.want(doctor.Fail, "topic.rights", w.cfg.Kafka.Topics.TierChanges, "may not Describe, Write")
	e.want(doctor.Unknown, "topic.settings", w.cfg.Kafka.Topics.Outcomes, "need not")
	e.want(doctor.Fail, "group.rights", "", "kafka-acls.sh")
	w.allow(server.User())
	e = w.doctor(t)
	e.want(doctor.Fail, "topic.rights", w.cfg.Kafka.Topics.DeadLetters, "may not Write")
	e.want(doctor.OK, "topic.rights", w.cfg.Kafka.Topics.Intent, "all that serve needs")
	e.want(doctor.OK, "group.rights", "", "all that serve needs")
	e.want(doctor.Unknown, "topic.settings", w.cfg.Kafka.Topics.Intent, "DescribeConfigs")
}

// allow gives a user the rights of deploy/README.md, but for writing dead letters.
func (w *world) allow(user string) {
	w.t.Helper()
	topics := w.cfg.Kafka.Topics
	var entries []kafka.ACLEntry
	grant := func(kind kafka.ResourceType, name string, operations ...kafka.ACLOperationType) {
		for _, operation := range operations {
			entries = append(entries, kafka.ACLEntry{
				ResourceType: kind, ResourceName: name, ResourcePatternType: kafka.PatternTypeLiteral,
				Principal: "User:" + user, Host: "*", Operation: operation, PermissionType: kafka.ACLPermissionTypeAllow,
			})
		}
	}
	for _, name := range []string{topics.Intent, topics.Engagement, topics.Profiles, topics.AccountTiers, topics.DeadLetters} {
		grant(kafka.ResourceTypeTopic, name, kafka.ACLOperationTypeRead, kafka.ACLOperationTypeDescribe)
	}
	grant(kafka.ResourceTypeTopic, topics.TierChanges, kafka.ACLOperationTypeWrite, kafka.ACLOperationTypeDescribe)
	grant(kafka.ResourceTypeTopic, topics.AccountTiers, kafka.ACLOperationTypeWrite)
	grant(kafka.ResourceTypeGroup, w.cfg.Kafka.Group, kafka.ACLOperationTypeRead, kafka.ACLOperationTypeDescribe)
	res, err := w.transport.Client(10*time.Second).CreateACLs(w.t.Context(), &kafka.CreateACLsRequest{ACLs: entries})
	if err == nil {
		err = errors.Join(res.Errors...)
	}
	if err != nil {
		w.t.Fatal(err)
	}
}
