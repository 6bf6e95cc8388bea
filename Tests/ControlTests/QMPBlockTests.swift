// SPDX-License-Identifier: GPL-2.0-or-later

import Foundation
import JSON
import Machine
import OptionSyntax
import Testing

@testable import Control

@Suite struct QMPBlockTests {
  private let files: ScratchDirectory
  private let client: QMPClient

  init() throws {
    let files = try ScratchDirectory()
    let disk = try files.file("disk", byteCount: 1 << 20)
    self.files = files
    client = try QMPClient { configuration in
      var drive = DriveConfiguration(file: disk)
      drive.position = .init(channel: 0, unit: 0)
      configuration.drives.append(drive)
    }
  }

  private func disc(_ name: String) throws -> JSONValue {
    .string(try files.file(name, byteCount: 8192))
  }

  /// As libvirt changes a disc: a node for the file, one for the format.
  @Test func aDiscIsInsertedAsANode() throws {
    let disc = try disc("disc")
    #expect(
      client.value(
        "blockdev-add",
        ["driver": "file", "filename": disc, "node-name": "storage", "auto-read-only": true]) == [:])
    #expect(
      client.value(
        "blockdev-add",
        ["driver": "raw", "file": "storage", "node-name": "format", "read-only": true]) == [:])
    let nodes = try #require(client.value("query-named-block-nodes")?.array)
    #expect(nodes.compactMap { $0["node-name"]?.string } == ["#ide0-hd0", "storage", "format"])
    #expect(nodes.compactMap { $0["drv"]?.string } == ["raw", "file", "raw"])
    let insert: JSONValue = ["id": "ide1-cd0", "node-name": "format"]
    #expect(client.error("blockdev-insert-medium", insert) == "Tray of device 'ide1-cd0' is not open")
    #expect(client.value("blockdev-open-tray", ["id": "ide1-cd0"]) == [:])
    #expect(
      client.error("blockdev-insert-medium", ["id": "ide1-cd0", "node-name": "x"]) == "Node 'x' not found")
    #expect(
      client.error("blockdev-insert-medium", ["id": "ide1-cd0", "node-name": "storage"])
        == "Node 'storage' is already in use")
    #expect(client.value("blockdev-insert-medium", insert) == [:])
    #expect(client.error("blockdev-insert-medium", insert) == "Node 'format' is already in use")
    #expect(client.value("blockdev-close-tray", ["id": "ide1-cd0"]) == [:])
    let drive = try #require(client.value("query-block")?.array?.first)
    #expect(drive["inserted"]?["node-name"] == "format" && drive["inserted"]?["image"]?["filename"] == disc)
    #expect(client.error("blockdev-del", ["node-name": "format"]) == "Node format is in use")
    #expect(client.error("blockdev-del", ["node-name": "storage"]) == "Block device storage is in use")
    // Taken out, it is still there, and can be put in again.
    #expect(client.value("eject", ["device": "ide1-cd0"]) == [:])
    #expect(client.value("query-block")?.array?.first?["inserted"] == nil)
    #expect(client.value("blockdev-insert-medium", insert) == [:])
    #expect(client.value("blockdev-remove-medium", ["id": "ide1-cd0"]) == [:])
    #expect(client.value("blockdev-del", ["node-name": "format"]) == [:])
    #expect(client.value("blockdev-del", ["node-name": "storage"]) == [:])
    #expect(client.value("query-named-block-nodes")?.array?.count == 1)
  }

  @Test func wrongNodesAreRefused() throws {
    let disc = try disc("disc")
    #expect(
      client.error("blockdev-add", ["driver": "raw", "file": ["driver": "file", "filename": disc]])
        == "'node-name' must be specified for the root node")
    let inline: JSONValue = [
      "driver": "raw", "node-name": "a", "read-only": true, "cache": ["direct": false],
      "file": ["driver": "file", "filename": disc],
    ]
    #expect(client.value("blockdev-add", inline) == [:])
    #expect(client.error("blockdev-add", inline) == "Duplicate nodes with node-name='a'")
    #expect(
      client.error("blockdev-add", ["driver": "qcow2", "node-name": "b", "file": "a"])
        == "Parameter 'driver' does not accept value 'qcow2'")
    #expect(
      client.error("blockdev-add", ["driver": "raw", "node-name": "b", "file": "c"])
        == "Cannot find device='c' nor node-name='c'")
    #expect(
      client.error("blockdev-add", ["driver": "raw", "node-name": "b", "file": "a"]) == "Node 'a' is in use")
    #expect(client.error("blockdev-add", ["driver": "file", "node-name": "b"])?.contains("filename") == true)
    #expect(
      client.error(
        "blockdev-add", ["driver": "file", "node-name": "b", "filename": .string(files.path("none"))])?
        .contains("does not exist") == true)
    #expect(
      client.error("blockdev-add", ["driver": "file", "node-name": "b", "filename": disc, "what": 5])?
        .contains("what") == true)
    #expect(
      client.error("blockdev-del", ["node-name": "b"]) == "Failed to find node with node-name='b'")
    #expect(
      client.error("blockdev-insert-medium", ["id": "ide0-hd0", "node-name": "a"])?.contains(
        "is not removable") == true)
  }

  /// A node is a stick's for as long as it is plugged in.
  @Test func aStickIsOnANode() throws {
    let disc = try disc("stick")
    let machine = try QMPClient { $0.usb.controllers = [USBControllerConfiguration(.xhci(.generic))] }
    let node: JSONValue = ["driver": "file", "filename": disc, "node-name": "storage"]
    #expect(machine.value("blockdev-add", node) == [:])
    #expect(
      machine.value("blockdev-add", ["driver": "raw", "file": "storage", "node-name": "format"]) == [:])
    func stick(_ drive: String, _ more: JSONValue.Member...) -> JSONValue {
      .object([.init("driver", "usb-storage"), .init("drive", .string(drive))] + more)
    }
    #expect(machine.error("device_add", stick("storage")) == "Node 'storage' is already in use")
    #expect(
      machine.error("device_add", stick("formal"))
        == "Property 'usb-storage.drive' can't find value 'formal'; did you mean 'format'?")
    // What cannot be plugged in does not keep it.
    #expect(machine.error("device_add", stick("format", .init("port", "9"))) != nil)
    #expect(machine.error("device_add", stick("format", .init("usb_version", "0"))) != nil)
    for _ in 0..<2 {
      #expect(
        machine.value("device_add", stick("format", .init("id", "stick"), .init("serial", "4711"))) == [:])
      let drive = try #require(machine.value("query-block")?.array?.last)
      #expect(drive["device"] == "" && drive["qdev"] == "stick")
      #expect(drive["inserted"]?["node-name"] == "format")
      #expect(machine.error("device_add", stick("format")) == "Node 'format' is already in use")
      #expect(machine.error("blockdev-del", ["node-name": "format"]) == "Node format is in use")
      #expect(machine.value("device_del", ["id": "stick"]) == [:])
      #expect(machine.events.last?["data"]?["device"] == "stick")
      #expect(machine.value("query-block")?.array?.count == 1)
    }
    #expect(machine.value("blockdev-del", ["node-name": "format"]) == [:])
    #expect(machine.value("blockdev-del", ["node-name": "storage"]) == [:])
    machine.close()
  }

  /// A node of the command line waits for a stick, too.
  @Test func aNodeOfTheCommandLineWaits() throws {
    let path = try files.file("waiting", byteCount: 8192)
    var list = try PropertyList(
      "driver=raw,node-name=n,file.driver=file,file.filename=\(path)", option: "-blockdev")
    let node = try BlockNodeConfiguration(&list)
    let machine = try QMPClient {
      $0.usb.controllers = [USBControllerConfiguration(.ehci(.ich4))]
      $0.blockNodes = [node]
      $0.usb.devices = [USBDeviceConfiguration(.storage(drive: "n"))]
    }
    #expect(machine.value("query-block")?.array?.last?["inserted"]?["node-name"] == "n")
    #expect(machine.value("device_del", ["id": "/machine/peripheral-anon/usb-storage.0"]) == [:])
    #expect(machine.value("device_add", ["driver": "usb-storage", "drive": "n", "id": "s"]) == [:])
    #expect(machine.value("device_del", ["id": "s"]) == [:])
    #expect(machine.value("blockdev-del", ["node-name": "n"]) == [:])
    machine.close()
  }

  @Test func anImageGrows() throws {
    #expect(client.value("block_resize", ["device": "ide0-hd0", "size": 3_000_001]) == [:])
    let size = try FileManager.default.attributesOfItem(atPath: files.path("disk"))[.size] as? Int
    #expect(size == 3_000_001)
    let drive = try #require(client.value("query-block")?.array?.last)
    #expect(drive["inserted"]?["image"]?["virtual-size"] == 3_000_320)
    #expect(client.value("block_resize", ["node-name": "#ide0-hd0", "size": 4_000_000]) == [:])
    #expect(
      client.error("block_resize", ["device": "ide0-hd0", "size": -1])
        == "Parameter 'size' expects a >0 size")
    #expect(
      client.error("block_resize", ["device": "ide0-hd0", "size": 512])?.contains("cannot become smaller")
        == true)
    #expect(
      client.error("block_resize", ["device": "x", "size": 512])
        == "Cannot find device='x' nor node-name=''")
    #expect(
      client.error("block_resize", ["device": "ide1-cd0", "size": 512])
        == "Device 'ide1-cd0' has no medium")
    #expect(client.error("block_resize", ["device": "ide0-hd0", "size": .unsigned(.max)]) != nil)
  }
}
