internal import Files
internal import Logging
internal import Usage

/// The paths of one source that are to be followed.
struct SourceFiles {
    /// Of one pattern.
    static let filesMax = 1000
    private static let compressedSuffixes = [".gz", ".bz2", ".xz", ".zst", ".lz4", ".zip"]

    let source: TailSource
    private let services: TailServices
    /// Too many match: which of them are followed, which are not, and when that was looked at.
    private var newest: (at: UInt64, paths: [String], leftOut: Set<String>)?
    private var isWarned = false
    /// Why the directory of a pattern could not be listed, when it could not.
    private(set) var fault: FileFault?

    init(_ source: TailSource, services: TailServices) {
        self.source = source
        self.services = services
    }

    static func isCompressed(_ name: String) -> Bool {
        compressedSuffixes.contains { name.hasSuffix($0) }
    }

    /// At most `filesMax`; when more match, those that were written to last.
    mutating func paths() -> [String] {
        guard source.isPattern else { return [source.path] }
        // Thousands of files are not sorted anew for each line that is written to one of them.
        let now = services.time.monotonicNanos
        let lookNanos = UInt64(TailedFiles.lookMillis) * 1_000_000
        if let newest, now - newest.at < lookNanos { return newest.paths }
        let paths = list().filter { !Self.isCompressed($0) }.map { source.directory + "/" + $0 }
        guard paths.count > Self.filesMax else {
            newest = nil
            return paths
        }
        if !isWarned {
            isWarned = true
            services.log.warn(
                "a pattern matches too many files and only those written to last are followed;"
                    + " move finished files away or name a narrower pattern",
                ("pattern", source.path), ("matches", "\(paths.count)"),
                ("followed", "\(Self.filesMax)"))
        }
        let dated = paths.map { ($0, ReadableFile.modifiedNanos(of: $0) ?? .min) }
        // Of the same age: the last by name, for names often have a date in them.
        let sorted = dated.sorted { ($0.1, $0.0) > ($1.1, $1.0) }.map(\.0)
        let chosen = Array(sorted.prefix(Self.filesMax))
        newest = (now, chosen, Set(sorted.dropFirst(Self.filesMax)))
        return chosen
    }

    /// It matches, and others were written to later.
    func leavesOut(_ path: String) -> Bool { newest?.leftOut.contains(path) ?? false }

    private mutating func list() -> [String] {
        do throws(FileFault) {
            fault = nil
            return try Directory.names(in: source.directory, matching: source.name)
        } catch {
            fault = error
            return []
        }
    }
}
