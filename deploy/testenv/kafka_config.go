package testenv

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
)

// properties is the server.properties of a single node that is broker and controller.
func (k *Kafka) properties() (string, error) {
	type listener struct {
		name, protocol   string
		port, advertised int
	}
	listeners := []listener{
		{"PLAIN", "PLAINTEXT", k.port.plain, k.port.plain},
		{"CONTROLLER", "PLAINTEXT", k.port.controller, 0},
	}
	if k.opts.Secure {
		listeners = append(listeners, listener{"SECURE", "SASL_SSL", k.port.secure, k.port.secure})
	}
	if k.opts.Proxied != 0 {
		listeners = append(listeners, listener{"PROXIED", "PLAINTEXT", k.port.proxied, k.opts.Proxied})
	}
	var listen, advertise, protocols []string
	for _, l := range listeners {
		listen = append(listen, l.name+"://"+loopback(l.port))
		protocols = append(protocols, l.name+":"+l.protocol)
		if l.advertised != 0 {
			advertise = append(advertise, l.name+"://"+loopback(l.advertised))
		}
	}
	lines := []string{
		"process.roles=broker,controller", "node.id=1",
		"controller.quorum.voters=1@" + loopback(k.port.controller),
		"listeners=" + strings.Join(listen, ","),
		"advertised.listeners=" + strings.Join(advertise, ","),
		"listener.security.protocol.map=" + strings.Join(protocols, ","),
		"controller.listener.names=CONTROLLER", "inter.broker.listener.name=PLAIN",
		"log.dirs=" + filepath.Join(k.dir, "data"),
		// Tests write records of any age; after half a minute the broker would
		// begin to delete the old ones.
		"log.retention.ms=-1",
		"auto.create.topics.enable=false", "default.replication.factor=1", "min.insync.replicas=1",
		"offsets.topic.num.partitions=1", "offsets.topic.replication.factor=1",
		"transaction.state.log.num.partitions=1", "transaction.state.log.replication.factor=1", "transaction.state.log.min.isr=1",
		"group.initial.rebalance.delay.ms=0", "group.min.session.timeout.ms=1000",
		"controlled.shutdown.enable=false", // there is nobody to hand over to
		// A killed broker may register again only once its old session is over.
		"broker.session.timeout.ms=3000", "broker.heartbeat.interval.ms=500",
		// A test's data is small: short starts, no background copying.
		"num.network.threads=2", "num.io.threads=4", "log.cleaner.dedupe.buffer.size=4194304",
		"share.coordinator.state.topic.num.partitions=1", "share.coordinator.state.topic.replication.factor=1",
	}
	if k.opts.Secure {
		secure, err := k.secureProperties()
		if err != nil {
			return "", err
		}
		lines = append(lines, secure...)
	}
	return strings.Join(append(lines, k.opts.Config...), "\n") + "\n", nil
}

func (k *Kafka) secureProperties() ([]string, error) {
	ca, err1 := inlinePEM(filepath.Join(k.dir, caFile))
	cert, err2 := inlinePEM(filepath.Join(k.dir, certFile))
	key, err3 := inlinePEM(filepath.Join(k.dir, keyFile))
	if err := errors.Join(err1, err2, err3); err != nil {
		return nil, fmt.Errorf("start kafka: %w", err)
	}
	const at = "listener.name.secure."
	const scram = `org.apache.kafka.common.security.scram.ScramLoginModule required;`
	return []string{
		"sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256,SCRAM-SHA-512",
		at + "ssl.keystore.type=PEM", at + "ssl.keystore.certificate.chain=" + cert, at + "ssl.keystore.key=" + key,
		at + "ssl.truststore.type=PEM", at + "ssl.truststore.certificates=" + ca,
		at + "scram-sha-256.sasl.jaas.config=" + scram,
		at + "scram-sha-512.sasl.jaas.config=" + scram,
		fmt.Sprintf(`%splain.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required user_%s="%s";`,
			at, k.opts.User, k.opts.Password),
	}, nil
}
