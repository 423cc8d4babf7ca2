package config

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestTLS(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	cert, key := certificate(t, dir)
	_, otherKey := certificate(t, dir)
	text := filepath.Join(dir, "text.pem")
	write(t, text, "no certificate")
	none := filepath.Join(dir, "none.pem")

	for _, c := range []struct {
		name, want string
		tls        TLS
	}{
		{"not enabled", "", TLS{CAFile: none}},
		{"the system's authorities", "", TLS{Enabled: true}},
		{"all", "", TLS{Enabled: true, CAFile: cert, CertFile: cert, KeyFile: key, ServerName: "kafka"}},
		{"no CA file", `kafka.tls.ca_file: "` + none + `": no such file`, TLS{Enabled: true, CAFile: none}},
		{"no certificate in it", `kafka.tls.ca_file: "` + text + `" holds no PEM certificate`, TLS{Enabled: true, CAFile: text}},
		{"no certificate file", `kafka.tls.cert_file: "` + none + `": no such file`, TLS{Enabled: true, CertFile: none, KeyFile: key}},
		{"no key file", `kafka.tls.key_file: "` + none + `": no such file`, TLS{Enabled: true, CertFile: cert, KeyFile: none}},
		{"another's key", `kafka.tls.cert_file: "` + cert + `" with key_file`, TLS{Enabled: true, CertFile: cert, KeyFile: otherKey}},
	} {
		got, err := Kafka{TLS: c.tls}.ClientTLS()
		switch {
		case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
			t.Errorf("%s: got %v, want %q", c.name, err, c.want)
		case c.want == "" && (err != nil || (got != nil) != c.tls.Enabled):
			t.Errorf("%s: got %v, %v", c.name, got, err)
		case got != nil && c.name == "all" && (got.ServerName != "kafka" || got.RootCAs == nil || len(got.Certificates) != 1 ||
			got.MinVersion != tls.VersionTLS12 || got.InsecureSkipVerify):
			t.Errorf("%s: got %+v", c.name, got)
		}
	}
	if _, err := (Redis{TLS: TLS{Enabled: true, CAFile: none}}).ClientTLS(); err == nil || !strings.HasPrefix(err.Error(), "redis.tls.ca_file") {
		t.Errorf("redis: got %v", err)
	}
}

func TestReadPassword(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	full, empty := filepath.Join(dir, "full"), filepath.Join(dir, "empty")
	write(t, full, " pass word \r\n")
	write(t, empty, "\n")

	if got, err := (SASL{PasswordFile: full}).ReadPassword(); err != nil || got.Reveal() != " pass word " {
		t.Errorf("got %q, %v", got.Reveal(), err)
	}
	if got, err := (Redis{Password: NewSecret("x")}).ReadPassword(); err != nil || got.Reveal() != "x" {
		t.Errorf("got %q, %v", got.Reveal(), err)
	}
	if _, err := (Redis{PasswordFile: empty}).ReadPassword(); err == nil || !strings.HasPrefix(err.Error(), "redis.password_file: ") {
		t.Errorf("an empty file: got %v", err)
	}
	if _, err := (SASL{PasswordFile: full + "x"}).ReadPassword(); err == nil || !strings.HasPrefix(err.Error(), "kafka.sasl.password_file: ") {
		t.Errorf("no file: got %v", err)
	}
}

// certificate writes a fresh self-signed certificate and its key.
func certificate(t *testing.T, dir string) (certFile, keyFile string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	serial, err := rand.Int(rand.Reader, big.NewInt(1<<60))
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: serial, NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	certFile = filepath.Join(dir, serial.String()+".pem")
	keyFile = filepath.Join(dir, serial.String()+".key")
	write(t, certFile, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})))
	write(t, keyFile, string(pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: keyDER})))
	return certFile, keyFile
}
