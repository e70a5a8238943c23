internal import JSON
internal import Usage

/// Which header of a gateway's request holds which field of a call that asks for admission.
public struct AdmissionHeaders: Equatable, Sendable {
    /// More fields than this are a configuration fault.
    public static let countMax = 32

    public struct Entry: Equatable, Sendable {
        /// As in the body of a check: `tenant`, `tags.team`, `cost_usd`.
        public let field: String
        /// In lower case.
        public let header: String
        /// Nil: a tag.
        let member: AdmissionField?

        public init(field: String, header: String) {
            self.field = field
            self.header = header
            member = AdmissionField.allCases.first { $0.name == field }
        }
    }

    /// In the order of the configuration.
    public var entries: [Entry]

    public init(entries: [Entry] = Self.standard) { self.entries = entries }

    private static let amounts = ["cost_usd", "input_tokens", "max_output_tokens"]

    /// Every field that a header may hold, but tags.
    public static let fields =
        [
            "tenant", "user", "feature", "agent", "conversation", "task", "request", "operation",
            "provider", "model",
        ] + amounts

    /// `x-costgauge-tenant` and so on.
    public static let standard = fields.map { field in
        let word = field.map { $0 == "_" ? "-" : String($0) }.joined()
        return Entry(field: field, header: "x-costgauge-" + word)
    }

    public static func isField(_ text: String) -> Bool {
        if case .tag? = Dimension(text) { return true }
        return fields.contains(text)
    }

    /// The fields of one request; a header that is missing or empty says nothing.
    ///
    /// - Parameter header: the value of the header of that name.
    public func fields(_ header: (String) -> String?) throws(AdmissionFault) -> AdmissionFields {
        var members = AdmissionMembers()
        var tags: [(key: String, value: JSONValue)] = []
        for entry in entries {
            guard let text = header(entry.header).map(Self.trimmed), !text.isEmpty else { continue }
            if let member = entry.member {
                members.add(member, entry.field.hasSuffix("_tokens") ? .number : .string, text)
            } else {
                tags.append((String(entry.field.dropFirst(5)), .string(text)))
            }
        }
        if !tags.isEmpty { members.tags = .object(tags) }
        return try AdmissionFields(&members)
    }

    private static func trimmed(_ text: String) -> String {
        guard let last = text.utf8.last, last == 0x20 || last == 0x09 else { return text }
        var bytes = Array(text.utf8)
        while let last = bytes.last, last == 0x20 || last == 0x09 { bytes.removeLast() }
        return String(decoding: bytes, as: UTF8.self)
    }
}
