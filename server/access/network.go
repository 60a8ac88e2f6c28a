package access

import "net/netip"

// Network returns the part of an address that identifies a client: the first 64 bits of an IPv6 address, because one
// client usually has all addresses of such a network, and the whole of an IPv4 address, also if it is written as IPv6.
// A text that is not an address is returned as it is, cut to 64 bytes.
func Network(address string) string {
	ip, err := netip.ParseAddr(address)
	if err != nil {
		return address[:min(len(address), 64)]
	}
	ip = ip.Unmap().WithZone("")
	if ip.Is4() {
		return ip.String()
	}
	p, _ := ip.Prefix(64) // never fails for IPv6
	return p.String()
}
