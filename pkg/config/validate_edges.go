package config

import (
	"net/url"
	"reflect"
	"time"
)

func (p *problems) kafka(k Kafka) {
	p.addresses("kafka.brokers", k.Brokers)
	p.required("kafka.group", k.Group)
	p.topics(k.Topics)
	p.inputs(k)
	p.between("kafka.create.partitions", k.Create.Partitions, 1, 10_000)
	p.between("kafka.create.replication", k.Create.Replication, 0, 100)
	p.tls("kafka.tls", k.TLS)
	p.sasl(k.SASL)
	p.duration("kafka.heartbeat_interval", k.HeartbeatInterval, 10*time.Millisecond)
	if k.SessionTimeout < 3*k.HeartbeatInterval {
		p.add("kafka.session_timeout", "%s is less than three times heartbeat_interval (%s)",
			durationText(k.SessionTimeout), durationText(k.HeartbeatInterval))
	}
	p.size("kafka.fetch.max_bytes", k.Fetch.MaxBytes, KiB, GiB)
	p.duration("kafka.fetch.max_wait", k.Fetch.MaxWait, time.Millisecond)
	p.between("kafka.fetch.buffer_events", k.Fetch.BufferEvents, 1, 1<<20)
}

// topics must be seven different ones: what goes out must not come in again.
func (p *problems) topics(t Topics) {
	used := map[string]string{}
	v := reflect.ValueOf(t)
	for i := range v.NumField() {
		path, name := "kafka.topics."+v.Type().Field(i).Tag.Get("yaml"), v.Field(i).String()
		if !p.topicName(path, name) {
			continue
		}
		if other := used[name]; other != "" {
			p.add(path, "%q is the name of %s too", name, other)
		}
		used[name] = path
	}
}

func (p *problems) topicName(path, name string) bool {
	good := topicNames.MatchString(name) && name != "." && name != ".."
	if !good {
		p.add(path, "%q is not a topic's name: letters, digits, dots, - and _, at most 249", name)
	}
	return good
}

func (p *problems) tls(path string, t TLS) {
	if !t.Enabled {
		if t != (TLS{}) {
			p.add(path+".enabled", "is false, but other keys of %s are set: set it to true, or remove them", path)
		}
		return
	}
	if (t.CertFile == "") != (t.KeyFile == "") {
		p.add(path+".cert_file", "cert_file and key_file go together: %q and %q", t.CertFile, t.KeyFile)
	}
	if t.InsecureSkipVerify && t.CAFile != "" {
		p.add(path+".insecure_skip_verify", "is true, so ca_file would verify nothing: remove one of them")
	}
}

func (p *problems) sasl(s SASL) {
	const path = "kafka.sasl"
	p.oneOf(path+".mechanism", s.Mechanism, "", "plain", "scram-sha-256", "scram-sha-512")
	if s.Mechanism == "" {
		if s != (SASL{}) {
			p.add(path+".mechanism", "is empty, but other keys of %s are set: set it, or remove them", path)
		}
		return
	}
	p.required(path+".username", s.Username)
	switch {
	case s.Password.Set() && s.PasswordFile != "":
		p.add(path+".password_file", "password is set too: remove one of them")
	case !s.Password.Set() && s.PasswordFile == "":
		p.add(path+".password", "must not be empty with mechanism %s (or set password_file)", s.Mechanism)
	}
}

func (p *problems) redis(r Redis) {
	p.addresses("redis.addrs", r.Addrs)
	if r.SentinelMaster == "" && (r.SentinelUsername != "" || r.SentinelPassword.Set()) {
		p.add("redis.sentinel_master", "is empty, but sentinel_username or sentinel_password is set: set it, or remove them")
	}
	if r.Password.Set() && r.PasswordFile != "" {
		p.add("redis.password_file", "password is set too: remove one of them")
	}
	if r.Username != "" && !r.Password.Set() && r.PasswordFile == "" {
		p.add("redis.password", "must not be empty with username %q (or set password_file)", r.Username)
	}
	p.tls("redis.tls", r.TLS)
	p.between("redis.shards", r.Shards, 1, 1000)
	p.duration("redis.timeout", r.Timeout, 10*time.Millisecond)
}

func (p *problems) otel(o OTel) {
	if u, err := url.Parse(o.Endpoint); o.Endpoint != "" && (err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil || u.RawQuery != "") {
		p.add("otel.endpoint", "is not an address such as http://127.0.0.1:4318, without user, password and query: what the collector asks for goes into OTEL_EXPORTER_OTLP_HEADERS")
	}
	if !(o.Sample >= 0 && o.Sample <= 1) { // nor NaN
		p.add("otel.sample", "%v is not between 0 and 1", o.Sample)
	}
}

func (p *problems) guard(g Guard) {
	p.between("events.guard.records", g.Records, 0, 1<<30)
	p.duration("events.guard.pause", g.Pause, 10*time.Millisecond)
	p.duration("events.guard.max_pause", g.MaxPause, 10*time.Millisecond)
	if g.MaxPause < g.Pause {
		p.add("events.guard.max_pause", "%s is less than events.guard.pause (%s)", durationText(g.MaxPause), durationText(g.Pause))
	}
}
