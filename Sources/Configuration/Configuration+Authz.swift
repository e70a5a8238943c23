internal import Budgets
internal import YAML

// `authz`: which headers of a gateway's request say whose call it is.
extension Configuration {
    static func readAuthz(_ map: inout ConfigurationMap, _ result: inout Configuration) {
        var authz = map.map("authz")
        let isListed = authz.has("headers")
        var entries: [AdmissionHeaders.Entry] = []
        for entry in authz.texts("headers", countMax: AdmissionHeaders.countMax) {
            let place = "\(authz.key("headers")).\(entry.name)"
            guard AdmissionHeaders.isField(entry.name) else {
                authz.reader.fault(
                    entry.mark, place,
                    "no call has such a field; there are "
                        + AdmissionHeaders.fields.joined(separator: ", ") + " and tags.NAME")
                continue
            }
            guard let header = entry.values.first, entry.values.count == 1,
                isHeaderName(header)
            else {
                authz.reader.fault(
                    entry.mark, place, "must be the name of one header, such as x-tenant-id")
                continue
            }
            entries.append(.init(field: entry.name, header: header.lowercased()))
        }
        if isListed { result.authzHeaders = AdmissionHeaders(entries: entries) }
        authz.finish()
    }

    /// https://datatracker.ietf.org/doc/html/rfc9110#section-5.1, without the rarer signs.
    static func isHeaderName(_ text: String) -> Bool {
        !text.isEmpty && text.utf8.count <= 100
            && text.utf8.allSatisfy { byte in
                (0x30...0x39).contains(byte) || (0x41...0x5a).contains(byte)
                    || (0x61...0x7a).contains(byte) || byte == 0x2d || byte == 0x5f
            }
    }
}
