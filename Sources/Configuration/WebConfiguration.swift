public import Access
public import HTTPServer
internal import Usage
internal import YAML

/// The file of `--web.config.file`, in the format that Prometheus' exporters share:
/// https://github.com/prometheus/exporter-toolkit/blob/master/docs/web-configuration.md
///
/// What libmicrohttpd cannot do (client certificates, chosen cipher suites) is a fault and not
/// left out; HTTP/2, which clients do without, is.
public struct WebConfiguration: Equatable, Sendable {
    /// Nil: plain HTTP.
    public var tls: TLSSettings?
    public var headers: [Header] = []
    public var users: [BasicUser] = []

    public struct Header: Equatable, Sendable {
        public let name: String
        public let value: String
    }

    public init() {}

    /// Reads a file's text, and the certificate that it names. Relative paths begin at its folder.
    public static func read(
        _ text: [UInt8], file: String
    ) throws(ConfigurationFaults) -> WebConfiguration {
        let reader = ConfigurationReader(file: file, environment: [:], secretFiles: .none)
        let root: YAMLNode
        do throws(YAMLError) {
            root = try YAMLDocument.read(text)
        } catch {
            let fault = ConfigurationFault(
                source: file, mark: error.mark, key: "", message: "not YAML: \(error.message)")
            throw ConfigurationFaults(faults: [fault])
        }
        var map = ConfigurationMap(root, path: "", reader: reader, hasVariables: false)
        var result = WebConfiguration()
        let folder = file.lastIndex(of: "/").map { String(file[...$0]) } ?? ""
        readTLS(&map, folder, &result)
        readServer(&map, &result)
        readUsers(&map, &result)
        map.finish()
        guard reader.faults.isEmpty else {
            throw ConfigurationFaults(faults: reader.sortedFaults)
        }
        return result
    }

    private static func readTLS(
        _ map: inout ConfigurationMap, _ folder: String, _ result: inout WebConfiguration
    ) {
        let isThere = map.has("tls_server_config")
        var tls = map.map("tls_server_config")
        let certificate = source(&tls, "cert", folder)
        let key = source(&tls, "key", folder)
        let least: TLSSettings.Version = tls.word("min_version", default: .tls12)
        let most: TLSSettings.Version = tls.word("max_version", default: .tls13)
        if least == .tls13, most == .tls12 { tls.fault("max_version", "is below min_version") }
        // GnuTLS prefers the server's order in any case.
        _ = tls.boolean("prefer_server_cipher_suites", default: true)
        refuseClientCertificates(&tls)
        for name in ["cipher_suites", "curve_preferences"] where tls.has(name) {
            tls.fault(name, "cannot be chosen here, GnuTLS takes its own; leave it out")
        }
        tls.finish()
        guard isThere else { return }
        guard let certificate, let key else {
            if map.reader.faults.isEmpty {
                let name = certificate == nil ? "cert_file" : "key_file"
                tls.missing(name, "write the path of a file in PEM")
            }
            return
        }
        var settings = TLSSettings(certificate: certificate, key: key)
        (settings.least, settings.most) = (least, most)
        do throws(TLSFault) {
            _ = try TLSServer.load(settings)
            result.tls = settings
        } catch {
            let name = error.part == .certificate ? "cert" : "key"
            tls.fault(tls.has(name) ? name : "\(name)_file", error.message)
        }
    }

    private static func source(
        _ tls: inout ConfigurationMap, _ name: String, _ folder: String
    ) -> TLSSettings.Source? {
        let text = tls.string(name, default: "", bytesMax: TLSServer.fileBytesMax)
        let path = tls.string("\(name)_file", default: "")
        guard text.isEmpty || path.isEmpty else {
            tls.fault("\(name)_file", "\(name) is set too; keep one of them")
            return nil
        }
        if !text.isEmpty { return .text(Array(text.utf8)) }
        guard !path.isEmpty else { return nil }
        return .file(path.hasPrefix("/") ? path : folder + path)
    }

    private static func refuseClientCertificates(_ tls: inout ConfigurationMap) {
        let advice =
            "client certificates are not asked for here; let a proxy do that, and leave it out"
        let kind = tls.string("client_auth_type", default: "NoClientCert")
        if kind != "NoClientCert", kind != "" { tls.fault("client_auth_type", advice) }
        for name in ["client_ca", "client_ca_file", "client_allowed_sans"] where tls.has(name) {
            tls.fault(name, advice)
        }
    }

    private static let headerNames = [
        "Content-Security-Policy", "X-Frame-Options", "X-Content-Type-Options", "X-XSS-Protection",
        "Strict-Transport-Security",
    ]
    private static let words = [
        "X-Frame-Options": ["", "deny", "sameorigin"], "X-Content-Type-Options": ["", "nosniff"],
    ]

    private static func readServer(
        _ map: inout ConfigurationMap, _ result: inout WebConfiguration
    ) {
        var server = map.map("http_server_config")
        _ = server.boolean("http2", default: true)
        var headers = server.map("headers")
        for name in headerNames {
            let value = headers.string(name, default: "")
            if let known = words[name], !known.contains(value.lowercased()) {
                headers.fault(name, "must be \(known.dropFirst().joined(separator: " or "))")
            } else if !value.utf8.allSatisfy({ $0 >= 0x20 && $0 < 0x7f }) {
                headers.fault(name, "must be plain ASCII on one line")
            } else if !value.isEmpty {
                result.headers.append(Header(name: name, value: value))
            }
        }
        headers.finish()
        server.finish()
    }

    private static func readUsers(
        _ map: inout ConfigurationMap, _ result: inout WebConfiguration
    ) {
        for entry in map.texts("basic_auth_users", countMax: BasicUser.usersMax) {
            let place = "basic_auth_users.\(entry.name)"
            func fault(_ message: String) { map.reader.fault(entry.mark, place, message) }
            let hash = entry.values.count == 1 ? entry.values[0] : ""
            if entry.name.isEmpty || entry.name.contains(":") || entry.name.utf8.count > 256 {
                fault("must be a name without a colon, of at most 256 bytes")
            } else if let cost = BasicUser.cost(hash) {
                guard cost <= BasicUser.costMax else {
                    fault(
                        "has a cost of \(cost), which would hold up other requests; make one of "
                            + "at most \(BasicUser.costMax)")
                    continue
                }
                result.users.append(BasicUser(name: entry.name, hash: Secret(hash)))
            } else {
                fault("is no bcrypt hash; `htpasswd -nBC 10 NAME` makes one")
            }
        }
    }
}
