import CYAML

/// Reads one YAML 1.1 document into nodes. Anchors, aliases and merge keys are refused: a
/// configuration needs none, and nested aliases are how a small file becomes a large one.
public enum YAMLDocument {
    /// The largest file that is read.
    public static let bytesMax = 4 * 1024 * 1024
    static let depthMax = 32
    static let nodesMax = 100_000

    /// An empty document is an empty mapping.
    public static func read(_ text: [UInt8]) throws(YAMLError) -> YAMLNode {
        let start = YAMLMark(line: 1, column: 1)
        guard text.count <= bytesMax else {
            throw YAMLError(message: "the file has more than \(bytesMax) bytes", mark: start)
        }
        var reader = EventReader(text)
        return try reader.document()
    }

    public static var libraryVersion: String { unsafe String(cString: yaml_get_version_string()) }
}

/// Walks libyaml's event stream. The parser keeps pointers to `input`, which lives as long as it
/// does.
@safe
private struct EventReader: ~Copyable {
    private let parser: UnsafeMutablePointer<yaml_parser_t>
    private let input: UnsafeMutableBufferPointer<UInt8>
    private var nodeCount = 0

    init(_ text: [UInt8]) {
        unsafe input = .allocate(capacity: max(text.count, 1))
        _ = unsafe input.initialize(from: text)
        unsafe parser = .allocate(capacity: 1)
        precondition(unsafe yaml_parser_initialize(parser) == 1, "BUG: out of memory for a parser")
        unsafe yaml_parser_set_input_string(parser, input.baseAddress, text.count)
        unsafe yaml_parser_set_encoding(parser, YAML_UTF8_ENCODING)
    }

    deinit {
        unsafe yaml_parser_delete(parser)
        unsafe parser.deallocate()
        unsafe input.deallocate()
    }

    mutating func document() throws(YAMLError) -> YAMLNode {
        _ = try next()
        let first = try next()
        if first.kind == .streamEnd {
            return YAMLNode(.mapping([]), mark: YAMLMark(line: 1, column: 1))
        }
        let root = try node(try next(), depth: 0)
        _ = try next()
        let after = try next()
        guard after.kind == .streamEnd else {
            throw YAMLError(message: "a second document begins here; one is read", mark: after.mark)
        }
        return root.isNull ? YAMLNode(.mapping([]), mark: root.mark) : root
    }

    private mutating func node(_ event: Event, depth: Int) throws(YAMLError) -> YAMLNode {
        nodeCount += 1
        guard depth < YAMLDocument.depthMax else {
            throw YAMLError(
                message: "nested deeper than \(YAMLDocument.depthMax) levels", mark: event.mark)
        }
        guard nodeCount <= YAMLDocument.nodesMax else {
            throw YAMLError(
                message: "more than \(YAMLDocument.nodesMax) values", mark: event.mark)
        }
        guard !event.hasAnchor, event.kind != .alias else {
            throw YAMLError(
                message: "anchors and aliases (& and *) are not read; write the value out",
                mark: event.mark)
        }
        switch event.kind {
        case .scalar(let text, let isPlain):
            return YAMLNode(.scalar(text: text, isPlain: isPlain), mark: event.mark)
        case .sequenceStart: return try sequence(event.mark, depth: depth)
        case .mappingStart: return try mapping(event.mark, depth: depth)
        case .streamEnd, .end, .alias:
            throw YAMLError(message: "a value is missing here", mark: event.mark)
        }
    }

    private mutating func sequence(
        _ mark: YAMLMark, depth: Int
    ) throws(YAMLError) -> YAMLNode {
        var items: [YAMLNode] = []
        while true {
            let event = try next()
            if event.kind == .end { return YAMLNode(.sequence(items), mark: mark) }
            items.append(try node(event, depth: depth + 1))
        }
    }

    private mutating func mapping(_ mark: YAMLMark, depth: Int) throws(YAMLError) -> YAMLNode {
        var entries: [YAMLEntry] = []
        while true {
            let event = try next()
            if event.kind == .end { return YAMLNode(.mapping(entries), mark: mark) }
            guard case .scalar(let key, _) = event.kind, !event.hasAnchor else {
                throw YAMLError(message: "a key must be a plain word", mark: event.mark)
            }
            let value = try node(try next(), depth: depth + 1)
            entries.append(YAMLEntry(key: key, keyMark: event.mark, value: value))
        }
    }

    private struct Event {
        enum Kind: Equatable {
            case scalar(String, isPlain: Bool)
            case sequenceStart, mappingStart, alias
            /// The end of a list, a mapping or a document, or the start of one: no value.
            case end
            case streamEnd
        }
        let kind: Kind
        let mark: YAMLMark
        let hasAnchor: Bool
    }

    private mutating func next() throws(YAMLError) -> Event {
        var event = unsafe yaml_event_t()
        guard unsafe yaml_parser_parse(parser, &event) == 1 else { throw fault() }
        defer { unsafe yaml_event_delete(&event) }
        let mark = unsafe YAMLMark(
            line: Int(event.start_mark.line) + 1, column: Int(event.start_mark.column) + 1)
        switch unsafe event.type {
        case YAML_SCALAR_EVENT:
            let scalar = unsafe event.data.scalar
            let bytes = unsafe UnsafeBufferPointer(start: scalar.value, count: scalar.length)
            let kind = unsafe Event.Kind.scalar(
                String(decoding: bytes, as: UTF8.self),
                isPlain: scalar.style == YAML_PLAIN_SCALAR_STYLE)
            return unsafe Event(kind: kind, mark: mark, hasAnchor: scalar.anchor != nil)
        case YAML_SEQUENCE_START_EVENT:
            let anchor = unsafe event.data.sequence_start.anchor
            return unsafe Event(kind: .sequenceStart, mark: mark, hasAnchor: anchor != nil)
        case YAML_MAPPING_START_EVENT:
            let anchor = unsafe event.data.mapping_start.anchor
            return unsafe Event(kind: .mappingStart, mark: mark, hasAnchor: anchor != nil)
        case YAML_ALIAS_EVENT: return Event(kind: .alias, mark: mark, hasAnchor: false)
        case YAML_STREAM_END_EVENT: return Event(kind: .streamEnd, mark: mark, hasAnchor: false)
        default: return Event(kind: .end, mark: mark, hasAnchor: false)
        }
    }

    private func fault() -> YAMLError {
        let parser = unsafe parser.pointee
        var message = unsafe parser.problem.map { unsafe String(cString: $0) } ?? "not YAML"
        if let context = unsafe parser.context {
            message += unsafe " (" + String(cString: context) + ")"
        }
        let mark = unsafe parser.problem_mark
        return YAMLError(
            message: message,
            mark: YAMLMark(line: Int(mark.line) + 1, column: Int(mark.column) + 1))
    }
}
