// SPDX-License-Identifier: GPL-2.0-or-later

import Foundation
import JSON
import Machine
import Testing

@testable import Control

@Suite struct QMPObjectTests {
  private func names(_ client: QMPClient, _ path: String) -> [String] {
    client.value("qom-list", ["path": .string(path)])?.array?.compactMap { $0["name"]?.string } ?? []
  }

  @Test func secretsComeAndGo() throws {
    let client = try QMPClient()
    #expect(client.value("object-add", ["qom-type": "secret", "id": "a", "data": "x"]) == [:])
    #expect(
      client.value("object-add", ["qom-type": "secret", "id": "b", "data": "eA==", "format": "base64"]) == [:]
    )
    #expect(client.machine.objects == [.secret(id: "a", data: [0x78]), .secret(id: "b", data: [0x78])])
    #expect(names(client, "/objects") == ["type", "a", "b"])
    // What it holds is nobody's business.
    #expect(
      client.error("qom-get", ["path": "/objects/a", "property": "data"])?.contains("not found") == true)
    #expect(
      client.error("object-add", ["qom-type": "secret", "id": "a", "data": "y"])?.contains("id=a") == true)
    for (wrong, words) in [
      (["qom-type": "secret", "id": "c"], "data="), (["qom-type": "secret", "data": "x"], "'id' is missing"),
      (["qom-type": "nothing", "id": "c"], "Parameter 'qom-type' does not accept value 'nothing'"),
      (["qom-type": "secret", "id": "c", "data": "%", "format": "base64"], "no base64"),
      (["qom-type": "secret", "id": "c", "data": "x", "what": 1], "what"),
      (["qom-type": "secret", "id": "c", "file": "/nonexistent"], "/nonexistent"),
      (["qom-type": "filter-dump", "id": "c", "netdev": "n", "file": "/tmp/x"], "no network back end"),
    ] as [(JSONValue, String)] {
      #expect(client.error("object-add", wrong)?.contains(words) == true, "\(wrong)")
    }
    #expect(client.value("object-del", ["id": "a"]) == [:])
    #expect(client.error("object-del", ["id": "a"]) == "object 'a' not found")
    #expect(client.machine.objects.count == 1)
  }

  @Test func theTreeShowsWhatHasAName() throws {
    let files = try ScratchDirectory()
    let disk = try files.file("disk", byteCount: 1 << 20)
    let client = try QMPClient { configuration in
      var drive = DriveConfiguration(file: disk)
      drive.deviceID = "disk0"
      drive.position = .init(channel: 0, unit: 0)
      configuration.drives.append(drive)
      configuration.namedDevices = [NamedDevice(id: "disk0", driver: "ide-hd")]
      configuration.characterDevices = [CharacterDeviceConfiguration(id: "line", specification: .null)]
    }
    #expect(names(client, "/machine/peripheral") == ["type", "disk0"])
    #expect(client.value("qom-get", ["path": "/machine/peripheral/disk0", "property": "type"]) == "ide-hd")
    #expect(names(client, "/chardevs") == ["type", "line"])
    #expect(!names(client, "/machine/unattached").contains("ide0-hd0"))
    let drives = try #require(client.value("query-block")?.array)
    #expect(drives.compactMap { $0["device"]?.string } == ["ide1-cd0", ""])
    #expect(drives.last?["qdev"] == "disk0")
  }

  /// Names that are kept free, and questions about what is not there.
  @Test func absenceIsTold() throws {
    let client = try QMPClient()
    let answer = client.ask("xen-save-devices-state", ["filename": "/tmp/x"])
    #expect(answer["error"]?["class"] == "CommandNotFound")
    #expect(answer["error"]?["desc"]?.string?.contains("Xen") == true)
    #expect(client.ask("query-balloon")["error"]?["class"] == "DeviceNotActive")
    #expect(client.value("query-migrate") == [:] && client.value("query-tpm") == [])
    #expect(
      client.ask("set_password", ["protocol": "spice", "password": "x"])["error"]?["class"]
        == "DeviceNotActive")
    let listed = client.value("query-commands")?.array?.compactMap { $0["name"]?.string } ?? []
    #expect(!listed.contains { $0.hasPrefix("xen-") })
    // Arguments that nobody declared go through to a device's properties.
    let plug: JSONValue = ["driver": "ide-hd", "id": "d", "any": ["thing": 1], "x": [true]]
    #expect(client.error("device_add", plug)?.contains("unexpected") == false)
  }
}
