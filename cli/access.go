package cli

import (
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"github.com/parliament-explorer/parliament-explorer/db"
	"github.com/parliament-explorer/parliament-explorer/parliament/upstream"
	"github.com/parliament-explorer/parliament-explorer/server/access"
)

// accessFlags are the flags of authentication and of the limits on clients.
type accessFlags struct {
	Auth            string        `env:"AUTH" enum:"auto,on" default:"auto" help:"auto: require authentication unless the address is a loopback address; on: always require it."`
	InsecureNoAuth  bool          `env:"INSECURE_NO_AUTH" help:"Require no authentication on any address. Everybody who can reach the server can do everything."`
	PublicURL       string        `name:"public-url" env:"PUBLIC_URL" help:"Address at which browsers reach the server, e.g. https://explorer.example.org." placeholder:"URL"`
	SessionLifetime time.Duration `env:"SESSION_LIFETIME" default:"12h" help:"Lifetime of a sign-in session."`
	RateLimit       int           `env:"RATE_LIMIT" default:"1200" help:"Maximum number of requests per minute of each key, each person and each address; 0: no limit."`
	PublicRead      string        `env:"PUBLIC_READ" help:"What may be read without a key: data (bills, politicians, votes, search, feeds, exports) or all (also runs, assets, schedules and the like). Unset: nothing." placeholder:"data|all"`
	PublicRateLimit int           `env:"PUBLIC_RATE_LIMIT" default:"600" help:"Maximum number of requests per minute of each address that reads without a key; 0: no limit."`
	GuessLimit      int           `env:"GUESS_LIMIT" default:"30" help:"Maximum number of wrong keys per minute of each address. Beyond it, only keys and sessions that were recently valid are accepted."`
	MaxConnections  int           `env:"MAX_CONNECTIONS" default:"4000" help:"Maximum number of open connections. If authentication is required, clients that have not authenticated may use half of them."`
	CORSOrigins     []string      `name:"cors-origins" env:"CORS_ORIGINS" help:"Origins whose pages may call the API, e.g. https://bills.example.org." placeholder:"ORIGIN"`
	TrustedProxies  []string      `env:"TRUSTED_PROXIES" help:"Proxies whose X-Forwarded-For is trusted, e.g. 10.0.0.0/8." placeholder:"CIDR"`

	OIDCIssuer       string   `name:"oidc-issuer" env:"OIDC_ISSUER" help:"OpenID Connect provider for sign-in; turns authentication on." placeholder:"URL"`
	OIDCClientID     string   `name:"oidc-client-id" env:"OIDC_CLIENT_ID" help:"The client id of this server at the provider."`
	OIDCClientSecret string   `name:"oidc-client-secret" env:"OIDC_CLIENT_SECRET" help:"The client secret of this server at the provider."`
	OIDCScopes       []string `name:"oidc-scopes" env:"OIDC_SCOPES" default:"profile,email" help:"Scopes to request from the provider in addition to openid."`
	OIDCRolesClaim   string   `name:"oidc-roles-claim" env:"OIDC_ROLES_CLAIM" default:"roles" help:"The claim with a person's roles, e.g. groups or realm_access.roles."`
	OIDCRoles        []string `name:"oidc-roles" env:"OIDC_ROLES" default:"read=read,operate=operate,admin=admin" help:"The scope of each role, e.g. staff=operate,admins=admin." placeholder:"ROLE=SCOPE"`
}

// isLoopback reports whether an address can only be reached from this machine.
func isLoopback(addr net.Addr) bool {
	tcp, ok := addr.(*net.TCPAddr)
	return ok && tcp.IP.IsLoopback()
}

// control returns the access control of a server that listens on an address.
func (f accessFlags) control(a *app, d *db.DB, addr net.Addr) (*access.Control, error) {
	required, err := f.required(isLoopback(addr))
	if err != nil {
		return nil, err
	}
	cfg := access.Config{Required: required, RateLimit: f.RateLimit, GuessLimit: f.GuessLimit,
		ReaderLimit: f.PublicRateLimit, SessionLifetime: f.SessionLifetime, DB: d, Logger: a.log}
	if cfg.PublicRead, err = access.ParsePublicRead(f.PublicRead); err != nil {
		return nil, usage("PUBLIC_READ %s", err)
	}
	cfg.SecureCookies = strings.HasPrefix(f.PublicURL, "https:") || f.PublicURL == "" && !isLoopback(addr)
	if cfg.OIDC, err = f.oidc(); err != nil {
		return nil, err
	}
	if !required && f.InsecureNoAuth && !isLoopback(addr) {
		a.log.Warn("authentication is off: everybody who reaches this server may do everything", "addr", addr.String())
	}
	return access.New(cfg)
}

// required reports whether requests must be authenticated. Without authentication, it refuses an address that other
// machines can reach.
func (f accessFlags) required(loopback bool) (bool, error) {
	wanted := f.Auth == "on" || f.OIDCIssuer != ""
	switch {
	case wanted && f.InsecureNoAuth:
		return false, usage("INSECURE_NO_AUTH: authentication is configured too (AUTH=on or OIDC_ISSUER): want one or the " +
			"other")
	case !wanted && !f.InsecureNoAuth && !loopback:
		return false, usage("others can reach this address: set AUTH=on and make a key with `explorer keys create`, " +
			"or set OIDC_ISSUER, or say --insecure-no-auth")
	}
	return wanted, nil
}

// check returns an error if a flag is invalid.
func (f accessFlags) check() error {
	if f.RateLimit < 0 {
		return usage("RATE_LIMIT %d: want 0 (no limit) or more", f.RateLimit)
	}
	if f.PublicRateLimit < 0 {
		return usage("PUBLIC_RATE_LIMIT %d: want 0 (no limit) or more", f.PublicRateLimit)
	}
	if _, err := access.ParsePublicRead(f.PublicRead); err != nil {
		return usage("PUBLIC_READ %s", err)
	}
	if f.GuessLimit < 1 {
		return usage("GUESS_LIMIT %d: want 1 or more", f.GuessLimit)
	}
	if f.MaxConnections < 10 {
		return usage("MAX_CONNECTIONS %d: want 10 or more", f.MaxConnections)
	}
	if f.SessionLifetime < time.Minute {
		return usage("SESSION_LIFETIME %s: want a minute or more", f.SessionLifetime)
	}
	for name, value := range map[string]string{"PUBLIC_URL": f.PublicURL, "OIDC_ISSUER": f.OIDCIssuer} {
		if u, err := url.Parse(value); value != "" &&
			(err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "") {
			return usage("%s %q: want an http or https address", name, upstream.PublicURL(value))
		} else if value != "" && (u.User != nil || u.RawQuery != "" || u.Fragment != "") { // it is shown to everybody
			return usage("%s %q: want an address without user, password and query", name, upstream.PublicURL(value))
		}
	}
	for _, origin := range f.CORSOrigins {
		if u, err := url.Parse(origin); err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" ||
			u.Path != "" || u.RawQuery != "" {
			return usage("CORS_ORIGINS %q: want scheme://host, without a path", upstream.PublicURL(origin))
		}
	}
	if _, err := f.proxies(); err != nil {
		return err
	}
	_, err := f.oidc()
	return err
}

func (f accessFlags) proxies() ([]*net.IPNet, error) {
	var out []*net.IPNet
	for _, s := range f.TrustedProxies {
		p, err := netip.ParsePrefix(strings.TrimSpace(s))
		if err != nil {
			return nil, usage("TRUSTED_PROXIES %q: want a network such as 10.0.0.0/8", s)
		}
		p = p.Masked()
		out = append(out, &net.IPNet{IP: p.Addr().AsSlice(), Mask: net.CIDRMask(p.Bits(), p.Addr().BitLen())})
	}
	return out, nil
}

func (f accessFlags) oidc() (*access.OIDCConfig, error) {
	if f.OIDCIssuer == "" {
		return nil, nil
	}
	if f.OIDCClientID == "" {
		return nil, usage("OIDC_CLIENT_ID: is required with OIDC_ISSUER")
	}
	if f.PublicURL == "" {
		return nil, usage("PUBLIC_URL: is required with OIDC_ISSUER, which redirects people there")
	}
	cfg := &access.OIDCConfig{
		Issuer: f.OIDCIssuer, ClientID: f.OIDCClientID, ClientSecret: f.OIDCClientSecret, Scopes: f.OIDCScopes,
		RolesClaim:  f.OIDCRolesClaim,
		RedirectURL: strings.TrimSuffix(f.PublicURL, "/") + "/session/oidc/callback", Roles: map[string]access.Scope{},
	}
	for _, s := range f.OIDCRoles {
		role, scope, ok := strings.Cut(strings.TrimSpace(s), "=")
		parsed, err := access.ParseScope(scope)
		if !ok || role == "" || err != nil {
			return nil, usage("OIDC_ROLES %q: want role=scope, with the scope read, operate or admin", s)
		}
		cfg.Roles[role] = parsed
	}
	return cfg, nil
}

// displayURL returns the address of the server for a browser.
func (f accessFlags) displayURL(addr net.Addr) string {
	if f.PublicURL != "" {
		return strings.TrimSuffix(f.PublicURL, "/")
	}
	return fmt.Sprintf("http://%s", displayAddr(addr))
}
