package testenv

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

// The Kafka versions that `make servers` installs: the newest line, and the
// last one before Kafka 4 dropped old protocol versions.
const (
	Kafka4 = "4.1.0"
	Kafka3 = "3.9.1"
)

const (
	kafkaFormatLimit = 60 * time.Second
	kafkaStartLimit  = 90 * time.Second
)

// KafkaOptions says how a Kafka differs from the default: version Kafka4, one
// plaintext listener, no automatic topics, replication factor 1.
type KafkaOptions struct {
	Version string   // Kafka4 (default) or Kafka3
	Dir     string   // data directory to use and keep; empty makes one that Stop removes
	Config  []string // further lines of server.properties; they win over the defaults
	JVM     []string // flags for memory, collector and compiler in place of the quick-start ones

	// Secure adds a SASL_SSL listener (PLAIN, SCRAM-SHA-256 and SCRAM-SHA-512)
	// for User and Password, by default "tidemark" and "secret".
	Secure         bool
	User, Password string

	// Proxied adds a plaintext listener that advertises this loopback port
	// instead of its own, so that a client that starts at a proxy on the port
	// stays behind it. Reserve the port with FreePort, let the proxy listen on
	// it and forward to ProxiedUpstream. 0 is no such listener.
	Proxied int
}

// Kafka is one running broker and controller in one process. Its methods may
// be called from any goroutine.
type Kafka struct {
	opts KafkaOptions
	dir  string
	port kafkaPorts
	tls  *tls.Config
	proc *process
}

type kafkaPorts struct{ plain, controller, secure, proxied int }

// StartKafka formats the directory if it is new, starts the server and returns
// once it answers as the cluster's broker. It takes about 6 s on two idle cores.
func StartKafka(opts KafkaOptions) (_ *Kafka, err error) {
	if opts.Version == "" {
		opts.Version = Kafka4
	}
	if opts.User == "" {
		opts.User, opts.Password = "tidemark", "secret"
	}
	java, classPath, err := findKafka(opts.Version)
	if err != nil {
		return nil, err
	}
	k := &Kafka{opts: opts, dir: opts.Dir}
	defer func() {
		if err != nil {
			err = errors.Join(err, k.cleanUp())
		}
	}()
	if k.dir == "" {
		if k.dir, err = os.MkdirTemp("", "tidemark-kafka-"); err != nil {
			return nil, fmt.Errorf("start kafka: %w", err)
		}
	}
	for _, p := range []*int{&k.port.plain, &k.port.controller, &k.port.secure, &k.port.proxied} {
		if *p, err = FreePort(); err != nil {
			return nil, err
		}
	}
	if opts.Secure {
		if err := writeCerts(k.dir); err != nil {
			return nil, err
		}
		if k.tls, err = clientTLS(k.dir); err != nil {
			return nil, err
		}
	}
	properties := filepath.Join(k.dir, "server.properties")
	text, err := k.properties()
	if err != nil {
		return nil, err
	}
	if err := os.WriteFile(properties, []byte(text), 0o600); err != nil {
		return nil, fmt.Errorf("start kafka: %w", err)
	}
	argv := append([]string{java}, k.jvm()...)
	argv = append(argv, "-cp", classPath)
	if err := k.format(argv, properties); err != nil {
		return nil, err
	}
	k.proc = &process{
		name: "kafka " + opts.Version, logPath: filepath.Join(k.dir, "kafka.log"),
		argv: slices.Concat(argv, []string{"kafka.Kafka", properties}),
	}
	return k, k.startAndWait()
}

// jvm is the Java machine's flags. By default they trade peak speed for a quick
// start in little memory. Logs at warn go to the log file, whose tail a start
// error shows; unpacked native libraries go where Stop removes them.
func (k *Kafka) jvm() []string {
	flags := k.opts.JVM
	if len(flags) == 0 {
		flags = []string{"-Xmx384m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"}
	}
	return slices.Concat(flags, []string{
		"-XX:-UsePerfData", "-Djava.io.tmpdir=" + k.dir, "-Djava.awt.headless=true",
		"-Dorg.slf4j.simpleLogger.defaultLogLevel=warn", "-Dorg.slf4j.simpleLogger.showDateTime=true",
	})
}

// findKafka gives the java program and the class path of a version's jars.
func findKafka(version string) (java, classPath string, err error) {
	if java, err = exec.LookPath("java"); err != nil {
		return "", "", notInstalled("java is not on the PATH")
	}
	cache, err := Cache()
	if err != nil {
		return "", "", fmt.Errorf("find kafka's jars: %w", err)
	}
	home := filepath.Join(cache, "kafka-"+version)
	if _, err := os.Stat(filepath.Join(home, "complete")); err != nil {
		return "", "", notInstalled("no complete Kafka " + version + " in " + home)
	}
	return java, filepath.Join(home, "libs", "*"), nil
}

// format writes the cluster's id and the SCRAM users, once per directory.
func (k *Kafka) format(argv []string, properties string) error {
	if _, err := os.Stat(filepath.Join(k.dir, "data", "meta.properties")); err == nil {
		return nil
	}
	args := slices.Concat(argv, []string{"kafka.tools.StorageTool", "format", "--cluster-id", "dGlkZW1hcmstdGVzdGVudg", "--config", properties})
	if k.opts.Secure {
		for _, mechanism := range []string{"SCRAM-SHA-256", "SCRAM-SHA-512"} {
			args = append(args, "--add-scram", fmt.Sprintf("%s=[name=%s,password=%s]", mechanism, k.opts.User, k.opts.Password))
		}
	}
	p := &process{name: "kafka storage tool", logPath: filepath.Join(k.dir, "format.log"), argv: args}
	return p.run(kafkaFormatLimit)
}

func (k *Kafka) startAndWait() error {
	if err := k.proc.start(); err != nil {
		return err
	}
	if err := k.proc.await(kafkaStartLimit, k.ready); err != nil {
		return errors.Join(err, k.proc.kill())
	}
	return nil
}

// ready is more than an open port: the broker is registered, so metadata names it,
// and leads what it held before.
func (k *Kafka) ready(ctx context.Context) error {
	m, err := kafkaMetadata(ctx, k.Addr())
	if err != nil {
		return err
	}
	if m.brokers == 0 {
		return errors.New("no broker in the metadata yet")
	}
	return kafkaLeads(ctx, k.Addr(), m.partitions)
}

// Addr is the host:port of the plaintext listener; the same over restarts.
func (k *Kafka) Addr() string { return loopback(k.port.plain) }

// SecureAddr is the host:port of the SASL_SSL listener; it needs KafkaOptions.Secure.
func (k *Kafka) SecureAddr() string { return loopback(k.port.secure) }

// ProxiedUpstream is where a proxy on KafkaOptions.Proxied forwards to.
func (k *Kafka) ProxiedUpstream() string { return loopback(k.port.proxied) }

// User is the name that the secure listener knows.
func (k *Kafka) User() string { return k.opts.User }

// Password belongs to User.
func (k *Kafka) Password() string { return k.opts.Password }

// TLSConfig trusts the server's generated CA; nil without KafkaOptions.Secure.
func (k *Kafka) TLSConfig() *tls.Config { return k.tls.Clone() }

// CAFile is the path of the generated CA in PEM form, for settings that take a file.
func (k *Kafka) CAFile() string { return filepath.Join(k.dir, caFile) }

// Dir is the data directory.
func (k *Kafka) Dir() string { return k.dir }

// PID is the process id of the server that runs, or ran last.
func (k *Kafka) PID() int { return k.proc.pid() }

// Kill ends the server with SIGKILL. Its ports stay reserved and its data stays: Restart continues from them.
func (k *Kafka) Kill() error { return k.proc.kill() }

// Restart starts the server again on the same ports and data, after stopping
// it in an orderly way if it still runs.
func (k *Kafka) Restart() error {
	if err := k.proc.stop(); err != nil {
		return err
	}
	return k.startAndWait()
}

// Pause freezes the server (SIGSTOP): connections stay open and nothing answers.
func (k *Kafka) Pause() error { return k.proc.signal(syscall.SIGSTOP) }

// Resume lets a paused server continue.
func (k *Kafka) Resume() error { return k.proc.signal(syscall.SIGCONT) }

// Stop ends the server, releases its ports and removes a directory that it
// made itself. What it held is lost with that directory, so it is not asked
// to end in good order there. A second call does nothing.
func (k *Kafka) Stop() error {
	end := k.proc.stop
	if k.opts.Dir == "" {
		end = k.proc.kill // saves a second or more per test
	}
	return errors.Join(end(), k.cleanUp())
}

func (k *Kafka) cleanUp() error {
	for _, p := range []int{k.port.plain, k.port.controller, k.port.secure, k.port.proxied} {
		ReleasePort(p)
	}
	if k.opts.Dir != "" || k.dir == "" {
		return nil
	}
	return os.RemoveAll(k.dir)
}

// inlinePEM reads a PEM file as one properties value.
func inlinePEM(path string) (string, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return "", err
	}
	return strings.ReplaceAll(strings.TrimSpace(string(b)), "\n", `\n`), nil
}
