internal import JSON
public import Usage

/// Reads the label values of an event. Words of closed sets are interned once at start; the value
/// of a tag is found once per tag set.
public struct LabelReader: Sendable {
    private let labels: [Dimension]
    private let names: Names
    private let statusNames: [NameID]
    private let stageNames: [NameID]
    /// Tag set and label -> value.
    private var tagValues: [UInt64: NameID] = [:]
    static let tagValuesMax = 1 << 20

    public init(labels: [Dimension], names: Names) {
        self.labels = labels
        self.names = names
        statusNames = Status.allCases.map { names.intern($0.word) }
        stageNames = Stage.allCases.map { names.intern($0.word) }
    }

    @inline(__always)
    public mutating func key(of event: CostEvent) -> LabelKey {
        var key = LabelKey()
        for index in labels.indices { key[index] = value(of: labels[index], at: index, in: event) }
        return key
    }

    /// With the dimensions that events keep as text: conversation, task and request.
    public mutating func key(of event: CostEvent, in rows: EventRows) -> LabelKey {
        var key = key(of: event)
        for (index, label) in labels.enumerated() {
            switch label {
            case .conversation: key[index] = intern(event.conversation, rows)
            case .task: key[index] = intern(event.task, rows)
            case .request: key[index] = intern(event.request, rows)
            default: break
            }
        }
        return key
    }

    private func intern(_ text: TextRef, _ rows: EventRows) -> NameID {
        text.isEmpty ? 0 : names.intern(rows.string(text))
    }

    /// Reading a label can make a new name: the value of a tag.
    public var interns: Bool {
        labels.contains { if case .tag = $0 { true } else { false } }
    }

    public func stageName(_ stage: Stage) -> NameID { stageNames[Int(stage.rawValue)] }

    private mutating func value(
        of dimension: Dimension, at index: Int, in event: CostEvent
    ) -> NameID {
        switch dimension {
        case .tenant: event.tenant
        case .user: event.user
        case .feature: event.feature
        case .agent: event.agent
        case .operation: event.operation
        case .provider: event.provider
        case .model: event.model
        case .status: statusNames[Int(event.status.rawValue)]
        case .stage: stageNames[Int(event.stage.rawValue)]
        case .tag(let key): tag(key, at: index, in: event.tags)
        case .conversation, .task, .request: 0
        }
    }

    private mutating func tag(_ key: String, at index: Int, in tags: NameID) -> NameID {
        guard tags != 0 else { return 0 }
        let cacheKey = UInt64(tags) << 8 | UInt64(index)
        if let known = tagValues[cacheKey] { return known }
        if tagValues.count >= Self.tagValuesMax { tagValues.removeAll(keepingCapacity: true) }
        let json = try? JSONValue.read(Array(names.text(tags).utf8))
        let value = json?[key]?.string.map { names.intern($0) } ?? 0
        tagValues[cacheKey] = value
        return value
    }
}
