public import Access
public import HTTPServer
internal import Usage

// `auth`: who may ask for what.
extension Configuration {
    static func readAccess(_ map: inout ConfigurationMap, _ result: inout Configuration) {
        var auth = map.map("auth")
        result.access.allowsAnonymous = auth.boolean("allow_anonymous", default: false)
        var names: Set<String> = []
        let tokens = auth.maps("tokens", countMax: AccessSettings.tokensMax) {
            token -> AccessToken? in
            let name = token.name("name")
            let secret = token.secret("token")
            let role: Role = token.word("role", default: .viewer)
            let tenant = token.string("tenant", default: "", bytesMax: Limits.textBytes)
            if token.reader.isListingKeys { return nil }
            if secret == nil, !token.has("token"), !token.has("token_file") {
                token.missing("token", "write it as ${VARIABLE}, or name a file with token_file")
            }
            guard let name, let secret else { return nil }
            guard secret.reveal().utf8.count >= tokenBytesMin else {
                token.fault(
                    token.has("token") ? "token" : "token_file",
                    "is shorter than \(tokenBytesMin) bytes; `openssl rand -hex 20` makes a good one"
                )
                return nil
            }
            guard names.insert(name).inserted else {
                token.fault("name", "\"\(name)\" names another token already")
                return nil
            }
            if role == .admin, !tenant.isEmpty {
                result.warnings.append(
                    "auth.tokens: \(name) is an admin for one tenant, and can do what an editor can: "
                        + "what only admins may is about all tenants")
            }
            return AccessToken(
                secret,
                for: Principal(name: name, role: role, tenant: tenant.isEmpty ? nil : tenant))
        }
        result.access.tokens = tokens ?? []
        auth.finish()
    }

    static let tokenBytesMin = 8

    /// Why an address may not be listened on; nil when it may.
    public static func refusal(of address: ListenAddress, _ access: AccessSettings) -> String? {
        if address.isLoopback || !access.tokens.isEmpty || access.allowsAnonymous { return nil }
        return "\(address) can be reached from other machines, and requests carry no token; set "
            + "auth.tokens, or listen on 127.0.0.1 and let web.metrics_listen serve the metrics"
    }
}
