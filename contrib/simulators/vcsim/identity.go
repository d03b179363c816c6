package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"fmt"
	"math/big"
	"net"
	"strings"
	"time"
)

// identity is a certificate that nobody has signed but its own key.
type identity struct {
	pair tls.Certificate
}

func newIdentity(name string) (*identity, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		return nil, err
	}
	begin := time.Now().Add(-24 * time.Hour)
	template := &x509.Certificate{
		SerialNumber:          serial,
		Subject:               pkix.Name{CommonName: name},
		NotBefore:             begin,
		NotAfter:              begin.AddDate(10, 0, 0),
		DNSNames:              []string{name, "localhost"},
		IPAddresses:           []net.IP{net.IPv4(127, 0, 0, 1)},
		IsCA:                  true,
		BasicConstraintsValid: true,
		KeyUsage:              x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return nil, err
	}
	return &identity{tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}}, nil
}

// fingerprint is the certificate's SHA-256 as the start line tells it.
func (i *identity) fingerprint() string {
	if i == nil {
		return ""
	}
	sum := sha256.Sum256(i.pair.Certificate[0])
	return "sha256:" + hex.EncodeToString(sum[:])
}

// thumbprints are the certificate's SHA-1 and SHA-256 as vSphere writes them: AA:BB:…
func (i *identity) thumbprints() (string, string) {
	if i == nil {
		return "", ""
	}
	short, long := sha1.Sum(i.pair.Certificate[0]), sha256.Sum256(i.pair.Certificate[0])
	return colons(short[:]), colons(long[:])
}

func colons(sum []byte) string {
	parts := make([]string, len(sum))
	for place, value := range sum {
		parts[place] = fmt.Sprintf("%02X", value)
	}
	return strings.Join(parts, ":")
}
