// Fills in `wanted` of every case with what cert-manager's own code makes of it. See README.md.
package main

import (
	"crypto"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"math/big"
	"os"
	"strings"
	"time"

	cmapi "github.com/cert-manager/cert-manager/pkg/apis/certmanager/v1"
	utilfeature "github.com/cert-manager/cert-manager/pkg/util/feature"
	"github.com/cert-manager/cert-manager/pkg/util/pki"
)

type testCase struct {
	Name   string          `json:"name"`
	Gates  string          `json:"gates"`
	Spec   json.RawMessage `json:"spec"`
	Key    string          `json:"key"`
	CA     string          `json:"ca,omitempty"`
	CAKey  string          `json:"ca_key,omitempty"`
	CRL    []string        `json:"crl,omitempty"`
	OCSP   []string        `json:"ocsp,omitempty"`
	Wanted map[string]any  `json:"wanted"`
}

type file struct {
	MadeBy string            `json:"made_by"`
	Keys   map[string]string `json:"keys"`
	Cases  []*testCase       `json:"cases"`
}

func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

func fill(c *testCase, keys map[string]string) {
	c.Wanted = map[string]any{}
	gates := utilfeature.DefaultMutableFeatureGate
	for _, gate := range []string{"LiteralCertificateSubject", "UseCertificateRequestBasicConstraints"} {
		gates.Set(gate + "=false")
	}
	if c.Gates != "" {
		gates.Set(c.Gates)
	}
	var spec cmapi.CertificateSpec
	if err := json.Unmarshal(c.Spec, &spec); err != nil {
		panic(err)
	}
	key := must(pki.DecodePrivateKeyBytes([]byte(keys[c.Key])))
	wish, err := pki.GenerateCSR(&cmapi.Certificate{Spec: spec})
	var der []byte
	if err == nil {
		der, err = pki.EncodeCSR(wish, key)
	}
	if err != nil {
		c.Wanted["csr_error"] = err.Error()
		return
	}
	c.Wanted["csr"] = base64.StdEncoding.EncodeToString(der)
	request := &cmapi.CertificateRequest{Spec: cmapi.CertificateRequestSpec{
		Request: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der}),
		IsCA:    spec.IsCA, Usages: spec.Usages, Duration: spec.Duration, IssuerRef: spec.IssuerRef,
	}}
	violations, err := pki.RequestMatchesSpec(request, spec)
	c.Wanted["match"] = fmt.Sprintf("%v %v", violations, err)
	template, err := pki.GenerateTemplateFromCertificateRequest(request)
	if err != nil {
		c.Wanted["certificate_error"] = err.Error()
		return
	}
	life := template.NotAfter.Sub(template.NotBefore).Round(time.Second)
	template.SerialNumber = new(big.Int).Lsh(big.NewInt(1), 127)
	template.NotBefore = time.Date(2023, 6, 2, 10, 0, 0, 0, time.UTC)
	template.NotAfter = template.NotBefore.Add(life)
	template.CRLDistributionPoints, template.OCSPServer = c.CRL, c.OCSP
	if subject := template.Subject.String(); subject != "" {
		c.Wanted["subject"] = subject
	}
	var chain []*x509.Certificate
	var signer crypto.Signer = key
	parent := template
	if c.CA != "" {
		chain = must(pki.DecodeX509CertificateChainBytes([]byte(c.CA)))
		signer = must(pki.DecodePrivateKeyBytes([]byte(keys[c.CAKey])))
		parent = chain[0]
	}
	_, certificate, err := pki.SignCertificate(template, parent, template.PublicKey, signer)
	if err != nil {
		c.Wanted["certificate_error"] = err.Error()
		return
	}
	c.Wanted["certificate"] = base64.StdEncoding.EncodeToString(certificate.Raw)
	bundle, err := pki.ParseSingleCertificateChain(append(chain, certificate))
	if err != nil {
		c.Wanted["chain_error"] = err.Error()
		return
	}
	c.Wanted["chain_blocks"] = strings.Count(string(bundle.ChainPEM), "BEGIN")
	c.Wanted["ca_blocks"] = strings.Count(string(bundle.CAPEM), "BEGIN")
}

func main() {
	var all file
	if err := json.NewDecoder(os.Stdin).Decode(&all); err != nil {
		panic(err)
	}
	for _, c := range all.Cases {
		fill(c, all.Keys)
	}
	encoder := json.NewEncoder(os.Stdout)
	encoder.SetIndent("", " ")
	encoder.Encode(all)
}
