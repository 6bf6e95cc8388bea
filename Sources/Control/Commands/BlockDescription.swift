// SPDX-License-Identifier: GPL-2.0-or-later

import Block
import JSON
import Machine

/// Drives and images as `query-block` and its like tell them.
enum BlockDescription {
  private static let image = SchemaType.members(
    .required("filename", .string), .required("format", .string), .required("virtual-size", .integer),
    .optional("actual-size", .integer), .optional("dirty-flag", .boolean))

  static let node = SchemaType.members(
    .required("file", .string), .optional("node-name", .string), .required("ro", .boolean),
    .required("drv", .string), .required("backing_file_depth", .integer), .required("encrypted", .boolean),
    .required("detect_zeroes", .enumeration(["off", "on", "unmap"])), .required("bps", .integer),
    .required("bps_rd", .integer), .required("bps_wr", .integer), .required("iops", .integer),
    .required("iops_rd", .integer), .required("iops_wr", .integer), .required("image", image),
    .required(
      "cache",
      .members(
        .required("writeback", .boolean), .required("direct", .boolean), .required("no-flush", .boolean))),
    .required("write_threshold", .integer))

  static let drive = SchemaType.members(
    .required("device", .string), .optional("qdev", .string), .required("type", .string),
    .required("removable", .boolean), .required("locked", .boolean), .optional("inserted", node),
    .optional("tray_open", .boolean), .optional("io-status", .enumeration(["ok", "failed", "nospace"])))

  static func value(of drive: Drive) -> JSONValue {
    var members: [JSONValue.Member] = [
      .init("io-status", drive.isStopped ? "failed" : "ok"),
      .init("device", .string(!drive.isAnonymous ? drive.name : "")),
      .init("locked", .bool(drive.isLocked)), .init("removable", .bool(drive.kind == .cdrom)),
    ]
    if let medium = drive.medium { members.append(.init("inserted", node(medium, of: drive))) }
    members.append(.init("qdev", .string(drive.deviceID ?? ObjectTree.path(ofDrive: drive.name))))
    if drive.kind == .cdrom { members.append(.init("tray_open", .bool(drive.isTrayOpen))) }
    members.append(.init("type", "unknown"))
    return .object(members)
  }

  static func node(_ medium: any BlockDevice, of drive: Drive) -> JSONValue {
    node(medium, name: drive.nodeName ?? "#\(drive.name)", driver: "raw", cache: drive.cache)
  }

  static func node(_ facts: Machine.BlockNodeFacts) -> JSONValue {
    node(facts.medium, name: facts.name, driver: facts.driver, cache: facts.cache)
  }

  private static func node(_ medium: any BlockDevice, name: String, driver: String, cache: CacheMode)
    -> JSONValue
  {
    [
      "iops_rd": 0, "detect_zeroes": "off",
      "image": .object(
        [
          .init("virtual-size", JSONValue(medium.byteCount)), .init("filename", .string(medium.label)),
          .init("format", .string(driver)), .init("dirty-flag", false),
        ] + (medium.allocatedByteCount.map { [.init("actual-size", JSONValue($0))] } ?? [])),
      "iops_wr": 0, "ro": .bool(medium.isReadOnly), "node-name": .string(name),
      "backing_file_depth": 0, "drv": .string(driver), "iops": 0, "bps_wr": 0, "write_threshold": 0,
      "encrypted": false, "bps": 0, "bps_rd": 0,
      "cache": [
        "no-flush": .bool(cache == .unsafe), "direct": .bool(cache.isDirect),
        "writeback": .bool(!cache.isWriteThrough),
      ],
      "file": .string(medium.label),
    ]
  }

  private static let counterNames = [
    "rd_bytes", "wr_bytes", "unmap_bytes", "rd_operations", "wr_operations", "flush_operations",
    "unmap_operations", "failed_rd_operations", "failed_wr_operations", "failed_flush_operations",
    "failed_unmap_operations",
    // Requests are not merged, and what is not measured is not told.
    "rd_merged", "wr_merged", "unmap_merged",
  ]

  static let counters = SchemaType.members(
    .optional("device", .string), .optional("qdev", .string), .optional("node-name", .string),
    .required(
      "stats", .object(Structure(counterNames.map { Structure.Member.required($0, .integer) }))))

  static func statistics(of drive: Drive) -> JSONValue {
    let counts = drive.statistics
    let values = [
      counts.reads.bytes, counts.writes.bytes, counts.discards.bytes, counts.reads.operations,
      counts.writes.operations, counts.flushes.operations, counts.discards.operations,
      counts.reads.failures, counts.writes.failures, counts.flushes.failures, counts.discards.failures, 0,
      0, 0,
    ]
    var members: [JSONValue.Member] = [
      .init("device", .string(!drive.isAnonymous ? drive.name : "")),
      .init(
        "stats",
        .object(zip(counterNames, values).map { JSONValue.Member($0, JSONValue($1)) })),
    ]
    if drive.medium != nil { members.append(.init("node-name", .string(drive.nodeName ?? "#\(drive.name)"))) }
    members.append(.init("qdev", .string(drive.deviceID ?? ObjectTree.path(ofDrive: drive.name))))
    return .object(members)
  }
}
