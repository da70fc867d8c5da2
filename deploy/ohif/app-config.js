// OHIF 3.13 before bonescan's DICOMweb: instead of the app-config.js of its dist. docs/deployment.md says how.
window.config = {
  routerBasename: null,
  extensions: [],
  modes: [],
  customizationService: {},
  showStudyList: true,
  showWarningMessageForCrossOrigin: false,
  strictZSpacingForVolumeViewport: true,
  defaultDataSourceName: "bonescan",
  dataSources: [
    {
      namespace: "@ohif/extension-default.dataSourcesModule.dicomweb",
      sourceName: "bonescan",
      configuration: {
        friendlyName: "bonescan",
        name: "bonescan",
        qidoRoot: "/dicomweb",
        wadoRoot: "/dicomweb",
        qidoSupportsIncludeField: true,
        supportsReject: false,
        supportsFuzzyMatching: false,
        supportsWildcard: true,
        imageRendering: "wadors",
        thumbnailRendering: "wadors",
        enableStudyLazyLoad: true,
        singlepart: "bulkdata",
        bulkDataURI: { enabled: true },
      },
    },
  ],
};
