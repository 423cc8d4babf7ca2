package config

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"
)

// TLS is how a connection is encrypted.
type TLS struct {
	Enabled            bool   `yaml:"enabled"`
	CAFile             string `yaml:"ca_file"` // empty: the system's authorities
	CertFile           string `yaml:"cert_file"`
	KeyFile            string `yaml:"key_file"`
	ServerName         string `yaml:"server_name"` // empty: the host that is dialled
	InsecureSkipVerify bool   `yaml:"insecure_skip_verify"`
}

// ClientTLS reads the files and makes what a client needs, or nil where TLS is
// not enabled.
func (k Kafka) ClientTLS() (*tls.Config, error) { return k.TLS.client("kafka.tls") }

// ClientTLS reads the files and makes what a client needs, or nil where TLS is
// not enabled.
func (r Redis) ClientTLS() (*tls.Config, error) { return r.TLS.client("redis.tls") }

func (t TLS) client(section string) (*tls.Config, error) {
	if !t.Enabled {
		return nil, nil
	}
	out := &tls.Config{
		MinVersion:         tls.VersionTLS12,
		ServerName:         t.ServerName,
		InsecureSkipVerify: t.InsecureSkipVerify, // the operator's choice, named for what it is
	}
	if t.CAFile != "" {
		pem, err := os.ReadFile(t.CAFile)
		if err != nil {
			return nil, fileError(section+".ca_file", t.CAFile, err)
		}
		out.RootCAs = x509.NewCertPool()
		if !out.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("%s.ca_file: %q holds no PEM certificate", section, t.CAFile)
		}
	}
	if t.CertFile == "" && t.KeyFile == "" {
		return out, nil
	}
	return out, t.addCertificate(out, section)
}

func (t TLS) addCertificate(to *tls.Config, section string) error {
	cert, err := os.ReadFile(t.CertFile)
	if err != nil {
		return fileError(section+".cert_file", t.CertFile, err)
	}
	key, err := os.ReadFile(t.KeyFile)
	if err != nil {
		return fileError(section+".key_file", t.KeyFile, err)
	}
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		return fmt.Errorf("%s.cert_file: %q with key_file %q: %w", section, t.CertFile, t.KeyFile, err)
	}
	to.Certificates = []tls.Certificate{pair}
	return nil
}
