internal import Tail
internal import Usage

// `sources`: what is read besides what is sent.
extension Configuration {
    static let sourcesMax = 100

    private enum SourceKind: String, CaseIterable { case jsonl }

    static func readSources(_ map: inout ConfigurationMap) -> [TailSource] {
        var paths: Set<String> = []
        let listed = map.maps("sources", countMax: sourcesMax) { source -> TailSource? in
            _ = source.word("type", default: SourceKind.jsonl)
            let path = source.path("path", default: "")
            guard !path.isEmpty else {
                source.reader.fault(
                    source.mark, source.key("path"),
                    "is missing; write a file, or a pattern such as /var/log/app/*.jsonl")
                return nil
            }
            guard !path.hasSuffix("/") else {
                source.fault(
                    "path", "\"\(path)\" is a directory; name its files, such as \(path)*.jsonl")
                return nil
            }
            let directory = path.split(separator: "/", omittingEmptySubsequences: false).dropLast()
            guard !directory.contains(where: { $0.contains { "*?[".contains($0) } }) else {
                source.fault(
                    "path",
                    "\"\(path)\" has a pattern in a directory; only the last part may have one")
                return nil
            }
            guard paths.insert(path).inserted else {
                source.fault("path", "\"\(path)\" is another source already")
                return nil
            }
            return TailSource(path: path)
        }
        return listed ?? []
    }
}
