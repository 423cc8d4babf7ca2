package config

import (
	"errors"
	"fmt"
	"net"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"tidemark/pkg/config/yamltree"
)

// Validate joins every problem, each with its path. It changes nothing and
// opens nothing: files and servers are tried when they are used.
func (c Config) Validate() error {
	p := &problems{}
	p.matches("namespace", c.Namespace, namespaces, "letters, digits, ., - and _, at most 200, a letter or digit first")
	p.address("http.addr", c.HTTP.Addr)
	if c.HTTP.Token.Set() && c.HTTP.TokenFile != "" {
		p.add("http.token_file", "token is set too: remove one of them")
	}
	p.kafka(c.Kafka)
	p.redis(c.Redis)

	p.duration("events.future_tolerance", c.Events.FutureTolerance, 0)
	p.duration("events.max_age", c.Events.MaxAge, time.Minute)
	p.size("events.max_bytes", c.Events.MaxBytes, KiB, 64*MiB)
	p.guard(c.Events.Guard)

	if c.People.Secret.Set() && c.People.SecretFile != "" {
		p.add("people.secret_file", "secret is set too: remove one of them")
	}

	p.duration("engine.max_lead", c.Engine.MaxLead, time.Second)
	p.between("engine.lanes", c.Engine.Lanes, 0, 1024)
	p.between("engine.max_batch", c.Engine.MaxBatch, 1, 1<<20)
	p.between("engine.cache_accounts", c.Engine.CacheAccounts, 0, 1<<30)
	p.duration("engine.checkpoint_interval", c.Engine.CheckpointInterval, 10*time.Millisecond)

	// The alert for a canary that is missing waits for five minutes.
	if every := c.Canary.Every; every != 0 && (every < time.Second || every > 2*time.Minute) {
		p.add("canary.every", "%s is not between 1s and 2m, nor 0 for none", durationText(every))
	}
	for i, topic := range c.Webhooks.Topics {
		p.topicName(fmt.Sprintf("webhooks.topics[%d]", i), topic)
	}

	p.otel(c.OTel)

	p.oneOf("log.level", c.Log.Level, "trace", "debug", "info", "warn", "error")
	p.oneOf("log.format", c.Log.Format, "auto", "console", "json")
	p.duration("shutdown_timeout", c.ShutdownTimeout, time.Millisecond)
	return errors.Join(p.list...)
}

var (
	namespaces = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,199}$`)
	topicNames = regexp.MustCompile(`^[a-zA-Z0-9._-]{1,249}$`)
)

// problems collects what is wrong. Each method looks at one setting.
type problems struct{ list []error }

func (p *problems) add(path, format string, args ...any) {
	p.list = append(p.list, fmt.Errorf("%s: %s", path, fmt.Sprintf(format, args...)))
}

func (p *problems) matches(path, text string, pattern *regexp.Regexp, allowed string) {
	if !pattern.MatchString(text) {
		p.add(path, "%q is not allowed: %s", text, allowed)
	}
}

func (p *problems) required(path, text string) {
	if strings.TrimSpace(text) == "" {
		p.add(path, "must not be empty")
	}
}

func (p *problems) oneOf(path, text string, allowed ...string) {
	if !slices.Contains(allowed, text) {
		p.add(path, "%q is not one of %s", text, strings.TrimPrefix(strings.Join(allowed, ", "), ", "))
	}
}

func (p *problems) between(path string, n, least, most int) {
	if n < least || n > most {
		p.add(path, "%d is not between %d and %d", n, least, most)
	}
}

func (p *problems) duration(path string, d, least time.Duration) {
	if d < least {
		p.add(path, "%s is less than %s", durationText(d), durationText(least))
	}
}

func (p *problems) size(path string, s, least, most Size) {
	if s < least || s > most {
		p.add(path, "%s is not between %s and %s", s, least, most)
	}
}

func (p *problems) address(path, addr string) {
	_, port, err := net.SplitHostPort(addr)
	if err == nil {
		if n, e := strconv.Atoi(port); e != nil || n < 0 || n > 65535 {
			err = errors.New("no port")
		}
	}
	if err != nil {
		p.add(path, "%q is not host:port", addr)
	}
}

func (p *problems) addresses(path string, addrs []string) {
	if len(addrs) == 0 {
		p.add(path, "at least one host:port is needed")
	}
	for i, addr := range addrs {
		p.address(fmt.Sprintf("%s[%d]", path, i), addr)
	}
}

func durationText(d time.Duration) string {
	if d < 0 {
		return d.String()
	}
	return yamltree.FormatDuration(d.Milliseconds())
}
