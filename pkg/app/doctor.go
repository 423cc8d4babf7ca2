package app

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/rs/zerolog"

	"tidemark/pkg/config"
	"tidemark/pkg/doctor"
	"tidemark/pkg/lag"
	"tidemark/pkg/modelfile"
	"tidemark/pkg/store/redis"
	"tidemark/streams/conn"
	"tidemark/streams/survey"
)

// DoctorOptions say what to look at beyond what there is.
type DoctorOptions struct {
	// Accounts is for how many accounts to forecast the memory; 0: as many as there are.
	Accounts int64
	// Window is for how long to watch whether anybody works.
	Window time.Duration
}

// doctorTimeout bounds each question: what does not answer is a finding.
const doctorTimeout = 5 * time.Second

// Doctor examines the configured deployment. It writes nothing, but for what Kafka and
// Redis log of connections.
func Doctor(ctx context.Context, c config.Config, o DoctorOptions, log zerolog.Logger) ([]doctor.Finding, error) {
	f := doctor.Facts{MaxAge: c.Events.MaxAge, Tolerance: c.Events.FutureTolerance, Accounts: o.Accounts, Now: time.Now(), Model: modelFacts(c)}
	secret, err := c.People.ReadSecret()
	if err != nil {
		return nil, err
	}
	f.PeopleKeyed = secret.Set()
	if f.Kafka, err = kafkaFacts(ctx, c); err != nil {
		return nil, err
	}
	if f.Redis, err = redisFacts(ctx, c, &f.Model, log); err != nil {
		return nil, err
	}
	f.Lag = lagFacts(ctx, c, o.Window, log)
	return doctor.Examine(f), nil
}

// kafkaFacts asks the cluster. Its error is one of the configuration.
func kafkaFacts(ctx context.Context, c config.Config) (doctor.Kafka, error) {
	out := doctor.Kafka{GroupName: c.Kafka.Group, User: c.Kafka.SASL.Username, Addr: c.Kafka.Brokers[0]}
	settings, err := KafkaConfig(c, nil)
	if err != nil {
		return out, err
	}
	transport, err := conn.NewTransport(settings)
	if err != nil {
		return out, fmt.Errorf("kafka: %w", err)
	}
	defer transport.Close()
	cluster := survey.New(transport, doctorTimeout)
	var brokers []survey.Broker
	for _, addr := range c.Kafka.Brokers {
		brokers = append(brokers, survey.Broker{Addr: addr, Err: cluster.Reach(ctx, addr)})
	}
	known, err := cluster.Brokers(ctx)
	if err != nil {
		out.Err = fmt.Errorf("kafka.brokers %v: %w", c.Kafka.Brokers, err)
		return out, nil
	}
	for _, b := range append(brokers, known...) {
		out.Brokers = appendBroker(out.Brokers, b)
	}
	var names []string
	kinds := topicKinds(c)
	for _, spec := range topicSpecs(c) {
		names = append(names, spec.Name)
	}
	topics, err := cluster.Topics(ctx, names)
	if err != nil {
		out.Err = fmt.Errorf("kafka.brokers %v: %w", c.Kafka.Brokers, err)
		return out, nil
	}
	for _, t := range topics {
		out.Topics = append(out.Topics, doctor.Topic{
			Name: t.Name, Kind: kinds[t.Name], Missing: t.Missing, Partitions: t.Partitions, Leaderless: t.Leaderless, Copies: t.Copies, Lagging: t.Lagging,
			Settings: t.Settings, SettingsErr: t.SettingsErr, Rights: rightFacts(t.Rights, nil),
		})
	}
	out.Group = rightFacts(cluster.GroupRights(ctx, c.Kafka.Group))
	return out, nil
}

// appendBroker adds a broker that is not there yet.
func appendBroker(list []doctor.Broker, b survey.Broker) []doctor.Broker {
	for _, have := range list {
		if have.Addr == b.Addr {
			return list
		}
	}
	return append(list, doctor.Broker(b))
}

func rightFacts(r survey.Rights, err error) doctor.Rights {
	return doctor.Rights{Known: r.Known, Err: err, Read: r.Has(survey.Read), Write: r.Has(survey.Write), Describe: r.Has(survey.Describe)}
}

func topicKinds(c config.Config) map[string]doctor.Kind {
	t := c.Kafka.Topics
	kinds := map[string]doctor.Kind{ // what is none of these is an input
		t.Profiles: doctor.Profiles, t.Outcomes: doctor.Outcomes, t.TierChanges: doctor.Changes, t.AccountTiers: doctor.Tiers, t.DeadLetters: doctor.Letters,
		t.MQARouting: doctor.Steps,
	}
	if c.Routing != "" || c.Webhooks.File != "" || c.Audiences.File != "" {
		kinds[t.TierChanges] = doctor.Followed
	}
	if list, err := readAudiences(c); err == nil { // config check tells of faults
		for _, topic := range audienceTopics(list) {
			kinds[topic] = doctor.Feeds
		}
	}
	return kinds
}

// redisFacts asks the servers, and the namespace for its accounts and its model. Its error
// is one of the configuration.
func redisFacts(ctx context.Context, c config.Config, m *doctor.Model, log zerolog.Logger) (doctor.Redis, error) {
	out := doctor.Redis{Cluster: len(c.Redis.Addrs) > 1 && c.Redis.SentinelMaster == ""}
	settings, err := storeConfig(c, readOnly)
	if err != nil {
		return out, err
	}
	settings.Retries = 1
	ctx, cancel := context.WithTimeout(ctx, 2*doctorTimeout)
	defer cancel()
	servers, err := redis.Facts(ctx, settings, log)
	if err != nil {
		out.Err = fmt.Errorf("redis.addrs %v: %w", c.Redis.Addrs, err)
		return out, nil
	}
	for _, s := range servers {
		out.Servers = append(out.Servers, doctor.Server{
			Addr: s.Addr, Version: s.Version, Mode: s.Mode, Role: s.Role, Policy: s.Policy, AOF: s.AOF, Fsync: s.Fsync,
			LastWrite: s.LastWrite, LastRewrite: s.LastRewrite, Loading: s.Loading,
			MaxMemory: s.MaxMemory, UsedMemory: s.UsedMemory, SystemMemory: s.SystemMemory, Evicted: s.Evicted,
			Ahead: time.Duration(s.Ahead) * time.Millisecond, Within: time.Duration(s.Within) * time.Millisecond,
		})
	}
	store, err := redis.Look(ctx, settings, log)
	if err != nil {
		if !errors.Is(err, redis.ErrNoNamespace) {
			out.StoredErr = err
		}
		return out, nil
	}
	defer store.Close() //nolint:errcheck // only read from
	out.Stored, out.Bytes, out.StoredErr = store.Weight(ctx)
	if latest, found, err := store.LatestModel(ctx); err == nil && found {
		m.InForce = latest.Hash
	}
	return out, nil
}

func modelFacts(c config.Config) doctor.Model {
	file, err := ReadModel(c.Model)
	if err != nil {
		return doctor.Model{Err: err}
	}
	m, err := Compile(file, file.Spec.Names())
	if err != nil {
		return doctor.Model{Err: err}
	}
	out := doctor.Model{
		Name: m.Name(), Hash: m.Hash(), Warnings: len(m.Advice()) + len(modelfile.Warnings(&file.Spec)),
		Every: time.Duration(file.Spec.ReviewEvery) * time.Millisecond,
	}
	if at, err := time.Parse(time.DateOnly, file.Spec.Reviewed); err == nil {
		out.Reviewed = at
	}
	return out
}

// lagFacts say how late it is, without looking for accounts at risk.
func lagFacts(ctx context.Context, c config.Config, window time.Duration, log zerolog.Logger) doctor.Lag {
	r, err := Lag(ctx, c, LagOptions{Window: window}, log)
	if err != nil {
		return doctor.Lag{Err: err}
	}
	out := doctor.Lag{Status: r.Status.String(), What: fmt.Sprintf("%s: %d records wait, the oldest for %.0f s", r.Status, r.Records, r.Seconds), Do: r.Next.Text}
	switch {
	case r.Status >= lag.Stall:
		out.Level = doctor.Fail
	case r.Late, r.Status == lag.Warn:
		out.Level = doctor.Warn
	}
	if out.Level != doctor.OK {
		out.What += "; " + r.Next.Text
		out.Do = "tidemark lag"
		if r.Next.Heading != "" {
			out.Do += fmt.Sprintf(", and %q in deploy/README.md", r.Next.Heading)
		}
	}
	return out
}
